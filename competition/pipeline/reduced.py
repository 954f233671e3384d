"""A profile without some of its models and features, as if it had never named them."""

from collections.abc import Collection

from competition.config.profile import Profile
from competition.config.stages import Level1Settings, Level2Settings
from competition.datasets.base import AdDataset
from competition.features.registry import get_extractor
from competition.pipeline.plan import names_by_patterns


def without(
    profile: Profile,
    dataset: AdDataset,
    models: Collection[str] = (),
    features: Collection[str] = (),
) -> Profile:
    """Return a profile without these models and features, and what needs them.

    A profile that a user writes without them has the same fingerprints.

    Parameters
    ----------
    profile : Profile
    dataset : AdDataset
        The ads as they came: an input of theirs is read whether a feature has its name or not.
    models, features : collection of str
    """
    gone = set(features)
    for name, feature in profile.features.items():  # one may be extracted from another
        if feature.input in gone and not dataset.has(str(feature.input)):
            gone.add(name)
    lost = {name for name in gone if not dataset.has(name)}
    level1: dict[str, Level1Settings] = {}
    for name, chosen in profile.level1.items():
        left = None
        if chosen.inputs is not None:
            left = tuple(one for one in chosen.inputs if one not in lost)
        if name not in models and left != ():
            level1[name] = chosen.model_copy(update={"inputs": left})
    idle = {*models, *(name for name in profile.level1 if name not in level1)}
    away = tuple(f"!{name}" for name in names_by_patterns(profile) if name in idle)
    return profile.model_copy(
        update={
            "models": (*profile.models, *away),
            "level1": level1,
            "features": {k: one for k, one in profile.features.items() if k not in gone},
            "level2": _level2(profile, gone),
        }
    )


def _level2(profile: Profile, gone: Collection[str]) -> Level2Settings:
    """Level 2 without metadata that only features gave that are gone."""
    level2 = profile.level2
    given = {name: get_extractor(one.extractor).metadata for name, one in profile.features.items()}
    lost = {column for name in gone for column in given.get(name, ())}
    lost -= {column for name in given if name not in gone for column in given[name]}
    if level2.metadata is None or not lost:
        return level2
    left = tuple(name for name in level2.metadata if name not in lost)
    return level2.model_copy(update={"metadata": left})


def with_learners(
    level2: Level2Settings, gone: Collection[str], instead: str = ""
) -> Level2Settings:
    """Return level 2 without some of its meta-learners and of those beside it.

    Where none is left that stacks, `instead` does.
    """
    kept = tuple(name for name in level2.params if name not in gone)
    beside = tuple(name for name in level2.beside if name not in {*gone, *kept, instead})
    return level2_of(level2, kept or (instead,), beside)


def level2_of(
    level2: Level2Settings, names: tuple[str, ...], beside: tuple[str, ...] = ()
) -> Level2Settings:
    """Return level 2 with these meta-learners, and the parameters that are set of them."""
    tables = {name: given for name, given in level2.params.items() if given}
    tables |= {name: level2.alone(name).params[name] for name in level2.beside}
    given = {name: tables[name] for name in (*names, *beside) if tables.get(name)}
    if len(names) == 1:
        own = given.pop(names[0], {})
        return Level2Settings.model_validate(
            {**own, **given, "model": names[0], "metadata": level2.metadata, "beside": beside}
        )
    return Level2Settings.model_validate(
        {**given, "model": names, "metadata": level2.metadata, "beside": beside}
    )
