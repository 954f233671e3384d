"""What a profile says of plug-ins, checked before anything is read, trained or written."""

from collections.abc import Collection
from typing import Any

from competition.config.profile import Profile, StackSettings
from competition.config.stages import CandidateSettings, Level1Settings, Level2Settings
from competition.features.registry import get_extractor
from competition.level1.registry import ModelEntry, get_model
from competition.level2.registry import find_meta_learners, meta_parameters
from competition.utils.errors import ModelError, ProfileError, nearest
from competition.utils.parameters import check_parameters, quoted

FORMER = {"model": "checkpoint", "prefix": "instruction"}  # keys that were renamed


def check_settings(profile: Profile | StackSettings) -> None:
    """Check each parameter that is set of a model, a meta-learner or an extractor.

    Raises
    ------
    ProfileError
        If a parameter is unknown, of another type than declared, or out of its range.
    ModelError
        If there is no such plug-in.
    """
    if isinstance(profile, Profile):
        for name, feature in profile.features.items():
            entry = get_extractor(feature.extractor)
            _refuse_former(f"features.{name}", feature.params, entry.parameters)
            check_parameters(f"features.{name}", feature.params, entry.make)
        for name, chosen in profile.level1.items():
            model = level1_entry(name, chosen)
            _refuse_former(f"level1.{name}", chosen.params, model.parameters)
            check_parameters(f"level1.{name}", chosen.params, model.make)
        for other in beside(profile):
            plan_meta_learners(other)
    plan_meta_learners(profile)


def refuse_limits(profile: Profile, command: str) -> None:
    """Refuse `quality` and `time_limit` where a command cannot obey them.

    Raises
    ------
    ProfileError
        If the profile has one.
    """
    for key, given in (("quality", profile.quality), ("time_limit", profile.time_limit)):
        if given not in (None, "default"):
            raise ProfileError(
                f"{key} = {quoted(given)}: `{command}` does not obey it, `run` and `save` do. "
                "Leave it out."
            )


def _refuse_former(where: str, given: dict[str, Any], known: Collection[str]) -> None:
    """Name the new key where a profile has the former one."""
    for former, now in FORMER.items():
        if former in given and former not in known and now in known:
            raise ProfileError(f"{where}.{former}: that key is now {now}.")


def level1_entry(name: str, chosen: Level1Settings) -> ModelEntry:
    """Return the registered model that a profile means by a name of its own."""
    try:
        return get_model(chosen.model or name)
    except ModelError as bad:
        if chosen.model is None:
            raise
        raise ModelError(
            f"level1.{name}.model: {bad} The checkpoint that a model starts from is set by "
            f"level1.{name}.checkpoint."
        ) from bad


def plan_meta_learners(profile: Profile | StackSettings) -> dict[str, dict[str, Any]]:
    """All parameters of each meta-learner that the profile names, in its order.

    Those of `stack` are all that are registered, unless its settings name some.

    Raises
    ------
    ModelError
        If there is no such meta-learner.
    ProfileError
        If it does not take a parameter.
    """
    level2 = profile.level2
    given = level2.params if isinstance(level2, Level2Settings) else _candidates(level2)
    return {name: meta_parameters(name, params, profile.seed) for name, params in given.items()}


def beside(profile: Profile) -> list[Profile]:
    """Return the profile once for each meta-learner that it shows beside the submitted one.

    Raises
    ------
    ProfileError
        If what stands under the name of one is no table of parameters.
    """
    level2 = profile.level2
    names = [name for name in level2.beside if name != level2.model]
    return [profile.model_copy(update={"level2": level2.alone(name)}) for name in names]


def _candidates(settings: CandidateSettings) -> dict[str, dict[str, Any]]:
    """Each meta-learner that `stack` compares, with the parameters that are set."""
    known, chosen = find_meta_learners(), settings.model
    names = known if chosen is None else [chosen] if isinstance(chosen, str) else list(chosen)
    given = settings.params
    for name in names:
        if name not in known:
            raise ProfileError(f"level2.model: no meta-learner {name!r}.{nearest(name, known)}")
    for name, table in given.items():
        if name not in known:
            hint = nearest(name, [*known, "metadata", "model"])
            raise ProfileError(f"level2: unknown key {name}.{hint}")
        if not isinstance(table, dict):
            raise ProfileError(
                f"level2.{name} = {quoted(table)}: set a parameter of that meta-learner, as "
                f"level2.{name}.KEY=VALUE."
            )
        if name not in names:
            raise ProfileError(
                f"level2.{name}: {name} is not among the meta-learners of level2.model "
                f"({', '.join(names)}). Add it there, or leave its parameters out."
            )
    return {name: given.get(name, {}) for name in names}
