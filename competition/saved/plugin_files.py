"""Which plug-ins of a run a saved stack cannot do without."""

import sys
from collections.abc import Iterable

from competition.features.registry import get_extractor
from competition.level1.registry import get_model
from competition.level2.registry import get_meta_learner
from competition.pipeline.run import RunResult
from competition.utils.registry import OWN


def needed_plugins(
    result: RunResult, learners: Iterable[str], features: Iterable[str]
) -> tuple[str, ...]:
    """Names of the files that define what is saved, or what these files import of one another.

    Parameters
    ----------
    result : RunResult
    learners, features : iterable of str
        The meta-learners and the features of the saved stack.
    """
    settings = result.context.profile.features
    modules = [get_model(job.model).make.__module__ for job in result.jobs]
    modules += [get_meta_learner(name).make.__module__ for name in learners]
    modules += [get_extractor(settings[name].extractor).make.__module__ for name in features]
    found: set[str] = set()
    while modules:
        name = modules.pop()
        if name.startswith(f"{OWN}.") and name not in found:
            found.add(name)
            modules += [_home(value) for value in vars(sys.modules[name]).values()]
    files = {f"{name.removeprefix(OWN + '.')}.py" for name in found}
    given = [one.rpartition("/")[2] for one in result.context.profile.plugins]
    return tuple(name for name in given if name in files)


def _home(value: object) -> str:
    """Name of the module that something comes from, or is; "" where that is not told."""
    home = getattr(value, "__module__", None) or getattr(value, "__name__", None)
    return home if isinstance(home, str) else ""
