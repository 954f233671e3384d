"""Which level-1 models of a profile run on a dataset, and on which columns."""

from dataclasses import dataclass
from typing import Any

from competition.config.profile import Level1Settings, Profile, StackSettings
from competition.datasets.base import AdDataset, InputKind
from competition.level1.registry import ModelEntry, find_models, get_model
from competition.utils.errors import ModelError, ProfileError, nearest
from competition.utils.settings import check_value


@dataclass(frozen=True)
class PlannedModel:
    """A level-1 model with the columns that it will read."""

    name: str
    model: str
    columns: tuple[str, ...]
    params: dict[str, Any]


def plan_models(profile: Profile, dataset: AdDataset) -> list[PlannedModel]:
    """Say which level-1 models run on a dataset, on which columns.

    Raises
    ------
    ProfileError
        If a model, an input or a parameter is unknown, or no model can run.
    """
    settings = dict(profile.level1)
    names: list[str] = []
    for pattern in profile.models:
        matching = find_models(pattern.removeprefix("!"))
        if not matching:
            raise ProfileError(f"models: no level-1 model matches {pattern!r}.")
        if pattern.startswith("!"):
            names = [name for name in names if name not in matching]
        else:
            # What cannot run without a setting, such as a checkpoint, is no part of "all".
            ready = [name for name in matching if name == pattern or not get_model(name).required]
            names += [name for name in ready if name not in names]
    for name in names:
        if profile.kinds is None or set(get_model(name).kinds) <= set(profile.kinds):
            settings.setdefault(name, Level1Settings())
    planned = []
    for name, chosen in settings.items():
        entry = _model(name, chosen)
        for parameter in chosen.params:
            if parameter not in entry.parameters:
                hint = nearest(parameter, entry.parameters)
                raise ProfileError(f"level1.{name}: unknown key {parameter}.{hint}")
            given = chosen.params[parameter]
            check_value(f"level1.{name}.{parameter}", given, entry.parameters[parameter])
        for parameter in entry.required:
            if parameter not in chosen.params:
                raise ProfileError(
                    f"level1.{name}: the model {entry.name} has no default {parameter}. Set "
                    f"level1.{name}.{parameter}."
                )
        columns = _columns(name, chosen, entry.kinds, profile, dataset)
        if columns:
            planned.append(PlannedModel(name, entry.name, columns, chosen.params))
    if not profile.models and not profile.level1:
        raise ProfileError(
            'The profile lists no level-1 model: add models = ["*"], or a table [level1.NAME].'
        )
    if not planned:
        kinds = ", ".join(sorted({given.kind for given in dataset.inputs.values()})) or "none"
        raise ProfileError(
            f"No level-1 model of the profile can read {dataset.name}: its inputs are of kind "
            f"{kinds}. `python -m competition models` lists what each model reads."
        )
    return planned


def _model(name: str, chosen: Level1Settings) -> ModelEntry:
    try:
        return get_model(chosen.model or name)
    except ModelError as bad:
        if chosen.model is None:
            raise
        raise ModelError(
            f"level1.{name}.model: {bad} The checkpoint that a model starts from is set by "
            f"level1.{name}.checkpoint."
        ) from bad


def _columns(
    name: str,
    chosen: Level1Settings,
    kinds: tuple[InputKind, ...],
    profile: Profile,
    dataset: AdDataset,
) -> tuple[str, ...]:
    """Columns that a model reads: those it names, else all of the kinds it can read."""
    allowed = set(kinds) if profile.kinds is None else set(kinds) & set(profile.kinds)
    if chosen.inputs is None:
        return tuple(
            column
            for given in dataset.inputs.values()
            if given.kind in allowed
            for column in given.columns
        )
    columns: list[str] = []
    metadata = {
        column
        for given in dataset.inputs.values()
        if given.kind == "metadata"
        for column in given.columns
    }
    for wanted in chosen.inputs:
        if wanted in dataset.inputs:
            given = dataset.inputs[wanted]
            if given.kind not in kinds:
                raise ProfileError(
                    f"level1.{name}: the input {wanted} is of kind {given.kind}, but the model "
                    f"reads {', '.join(kinds)}."
                )
            columns += given.columns
        elif wanted in metadata and "metadata" in kinds:
            columns.append(wanted)
        elif wanted not in profile.features:  # a feature was left out, and that was said
            hint = nearest(wanted, [*dataset.inputs, *metadata, *profile.features])
            raise ProfileError(f"level1.{name}: {dataset.name} has no input {wanted!r}.{hint}")
    return tuple(columns)


def plan_metadata(profile: Profile | StackSettings, dataset: AdDataset) -> list[str]:
    """Metadata columns that the meta-learner sees: those of the profile, else all of the dataset.

    Raises
    ------
    ProfileError
        If the profile names a fact that the dataset lacks.
    """
    metadata = [
        column
        for given in dataset.inputs.values()
        if given.kind == "metadata"
        for column in given.columns
    ]
    if profile.level2.metadata is None:
        return metadata
    for name in profile.level2.metadata:
        if name not in metadata:
            raise ProfileError(
                f"level2.metadata: {dataset.name} has no fact {name!r}.{nearest(name, metadata)}"
            )
    return list(profile.level2.metadata)
