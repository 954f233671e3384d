"""The meta-learners by name; each is one file in ``learners/``.

>>> from competition.level2.registry import find_meta_learners
>>> find_meta_learners("d*")
['dnn']
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from competition.level2.base import MetaLearner
from competition.utils.parameters import check_parameters
from competition.utils.registry import Entry, Registry
from competition.utils.state import package_of, read_state

M = TypeVar("M", bound=type[MetaLearner])

_registry: Registry[Entry] = Registry(
    "competition.level2.learners", "meta-learner", "competition.level2"
)
find_meta_learners = _registry.find
get_meta_learner = _registry.get


def load_meta_learner(name: str, folder: Path) -> MetaLearner:
    """Read a fitted meta-learner that `MetaLearner.save` has written, by its registered name.

    Raises
    ------
    ModelError
        If there is no such meta-learner.
    StateError
        If a file is absent or damaged, or holds something else.
    """
    packages = [package_of(get_meta_learner(name).make)]
    return read_state(folder, MetaLearner, packages)  # type: ignore[type-abstract]


def meta_learner(name: str) -> Callable[[M], M]:
    """Register the decorated class as the meta-learner `name`.

    Examples
    --------
    >>> from competition import MetaLearner, meta_learner
    >>> @meta_learner("brave")
    ... class Brave(MetaLearner):
    ...     def _fit(self, data):
    ...         pass
    ...     def _predict_proba(self, ads):
    ...         return ads.probabilities.max(axis=1)
    >>> find_meta_learners("br*")
    ['brave']
    """

    def register(make: M) -> M:
        _registry.add(Entry(name, make, search_space=make.search_space, libraries=make.libraries))
        return make

    return register


def meta_parameters(name: str, given: dict[str, Any], seed: int) -> dict[str, Any]:
    """Parameters to make the meta-learner `name` with: the seed, if it takes one, and those given.

    Raises
    ------
    ModelError
        If there is no such meta-learner.
    ProfileError
        If it does not take a parameter.
    """
    entry = get_meta_learner(name)
    check_parameters(f"level2.{name}", given, entry.make)
    return {**({"random_state": seed} if "random_state" in entry.parameters else {}), **given}
