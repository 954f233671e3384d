"""What a profile means for a dataset: which features are extracted, which models read what."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from competition.config.profile import Profile, StackSettings
from competition.config.stages import FeatureSettings, Level1Settings
from competition.datasets.base import AdDataset, Input, InputKind
from competition.features.base import Extractor
from competition.features.hub import absent_folder, why_not_at_hand
from competition.features.registry import ExtractorEntry, get_extractor
from competition.level1.components.seeds import SEEDS
from competition.level1.registry import find_models, get_model
from competition.pipeline.context import Context
from competition.pipeline.settings import level1_entry, plan_meta_learners
from competition.utils.errors import FeatureError, ProfileError, nearest
from competition.utils.parameters import check_parameters
from competition.utils.progress import Progress


@dataclass(frozen=True)
class PlannedFeature:
    """A feature with the input that it is extracted from.

    Attributes
    ----------
    name : str
    entry : ExtractorEntry
    extractor : Extractor
    source : Input
    keeps : bool
        Whether the ads come with an input of that name, and the feature is extracted for those
        alone that lack it.
    """

    name: str
    entry: ExtractorEntry
    extractor: Extractor
    source: Input
    keeps: bool = False


@dataclass(frozen=True)
class PlannedModel:
    """A level-1 model with the columns that it will read.

    Its parameters are those of its constructor and, where it is a mean of copies, `SEEDS`.
    """

    name: str
    model: str
    columns: tuple[str, ...]
    params: dict[str, Any]


def plan_models(
    profile: Profile, dataset: AdDataset, progress: Progress | None = None
) -> list[PlannedModel]:
    """Say which level-1 models run on a dataset, on which columns.

    Parameters
    ----------
    profile : Profile
    dataset : AdDataset
    progress : Progress or None
        Receives a remark on models of the profile that are left out.

    Raises
    ------
    ProfileError
        If a model, an input or a parameter is unknown, or no model can run.
    """
    settings = dict(profile.level1)
    for name in names_by_patterns(profile):
        settings.setdefault(name, Level1Settings())
    remark = (progress or Progress()).remark
    planned, absent, lacks = [], [], ""
    not_at_hand: dict[str, list[str]] = {}
    for name, chosen in settings.items():
        entry = level1_entry(name, chosen)
        check_parameters(f"level1.{name}", chosen.params, entry.make)
        if chosen.seeds > 1 and not {"random_state", SEEDS} & set(entry.parameters):
            raise ProfileError(
                f"level1.{name}.seeds = {chosen.seeds}: the model {entry.name} has no "
                "random_state, so that all copies would be the same. Leave seeds out."
            )
        for parameter in entry.required:
            if chosen.params.get(parameter, "") == "":
                raise ProfileError(
                    f"level1.{name}: the model {entry.name} has no default {parameter}. Set "
                    f"level1.{name}.{parameter}."
                )
        columns = readable_columns(name, chosen, entry.kinds, profile, dataset)
        if columns and entry.lacks:
            lacks = entry.lacks
            remark(f"The model {name} is left out: {lacks}")
        elif columns and (why := _not_at_hand(f"level1.{name}", chosen.params, profile)):
            lacks = why
            not_at_hand.setdefault(why, []).append(name)
        elif columns:
            if entry.make.__module__.startswith("competition.level1."):
                _check_paths(name, chosen.params)
            copies = {SEEDS: chosen.seeds} if chosen.seeds > 1 else {}
            planned.append(PlannedModel(name, entry.name, columns, {**chosen.params, **copies}))
        elif name in profile.level1 and not _went_with_its_feature(name, profile, dataset):
            absent.append(name)
    for why, names in not_at_hand.items():
        remark(f"Left out: {', '.join(names)}: {why}")
    if absent:
        remark(f"Left out, as nothing that they read is there: {', '.join(sorted(absent))}.")
    if not profile.models and not profile.level1:
        raise ProfileError(
            'The profile lists no level-1 model: add models = ["*"], or a table [level1.NAME].'
        )
    if not planned and lacks:
        raise ProfileError(f"No level-1 model of the profile can run here: {lacks}")
    if not planned:
        kinds = ", ".join(sorted({given.kind for given in dataset.inputs.values()})) or "none"
        raise ProfileError(
            f"No level-1 model of the profile can read {dataset.name}: its inputs are of kind "
            f"{kinds}. `python -m competition models` lists what each model reads."
        )
    return planned


def names_by_patterns(profile: Profile) -> list[str]:
    """Names of the registered models that the patterns of a profile choose, of its kinds.

    Raises
    ------
    ProfileError
        If a pattern matches none.
    """
    names: list[str] = []
    for pattern in profile.models:
        matching = find_models(pattern.removeprefix("!"))
        if not matching:
            hint = ""
            if pattern.removeprefix("!") in profile.level1:
                hint = " A model with a section of its own runs without being named here."
            raise ProfileError(f"models: no registered level-1 model matches {pattern!r}.{hint}")
        if pattern.startswith("!"):
            names = [name for name in names if name not in matching]
        else:
            # What cannot run without a setting, such as a checkpoint, is no part of "all".
            ready = [name for name in matching if name == pattern or not get_model(name).required]
            names += [name for name in ready if name not in names]
    kinds = profile.kinds
    return [name for name in names if kinds is None or set(get_model(name).kinds) <= set(kinds)]


def _not_at_hand(table: str, params: dict[str, Any], profile: Profile) -> str:
    """Say why a checkpoint that the profile calls optional cannot be had; "" otherwise."""
    if f"{table}.checkpoint" not in profile.optional:
        return ""
    return why_not_at_hand(params["checkpoint"])


def _check_paths(name: str, params: dict[str, Any]) -> None:
    """Raise a ProfileError before anything is trained if what a model starts from is not there."""
    checkpoint, vectors = params.get("checkpoint"), params.get("vectors")
    _check_folder(f"level1.{name}", checkpoint)
    if isinstance(checkpoint, str) and (why := why_not_at_hand(checkpoint)):
        raise ProfileError(f"level1.{name}.checkpoint: {why}")
    if isinstance(vectors, str) and vectors and not Path(vectors).is_file():
        raise ProfileError(f"level1.{name}.vectors: There is no file {vectors}. Correct its path.")


def _check_folder(table: str, checkpoint: object) -> None:
    """Raise a ProfileError if a checkpoint is a folder that is not there."""
    absent = absent_folder(checkpoint) if isinstance(checkpoint, str) else None
    if absent is not None:
        raise ProfileError(
            f"{table}.checkpoint: There is no folder {absent} with a checkpoint. Correct its path."
        )


def _readers(feature: str, profile: Profile) -> list[str]:
    """Models of the profile that read this feature and nothing else."""
    return [
        name for name, chosen in profile.level1.items() if set(chosen.inputs or ()) == {feature}
    ]


def _went_with_its_feature(name: str, profile: Profile, dataset: AdDataset) -> bool:
    """Tell whether a remark on a feature that was left out has named this model."""
    return any(
        name in _readers(feature, profile)
        and feature not in dataset.inputs
        and profile.wants(get_extractor(settings.extractor).gives)
        for feature, settings in profile.features.items()
    )


def readable_columns(
    name: str,
    chosen: Level1Settings,
    kinds: tuple[InputKind, ...],
    profile: Profile,
    dataset: AdDataset,
) -> tuple[str, ...]:
    """Columns that a model reads: those it names, else all of the kinds it can read.

    An input that no ad has counts as absent.
    """
    allowed = set(kinds) if profile.kinds is None else set(kinds) & set(profile.kinds)
    if chosen.inputs is None:
        return tuple(
            column
            for given in dataset.inputs.values()
            if given.kind in allowed and dataset.has(given.name)
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
            if given.kind not in allowed:
                raise ProfileError(
                    f"level1.{name}: the input {wanted} is of kind {given.kind}, which the profile "
                    f"does not read. Add {given.kind!r} to kinds."
                )
            columns += given.columns if dataset.has(wanted) else ()
        elif wanted in metadata and "metadata" in kinds:
            columns.append(wanted)
        elif wanted not in profile.features:  # a feature was left out, and that was said
            known = dict.fromkeys([*dataset.inputs, *metadata, *profile.features])
            hint = nearest(wanted, list(known))
            raise ProfileError(f"level1.{name}: {dataset.name} has no input {wanted!r}.{hint}")
    return tuple(columns)


def plan_metadata(
    profile: Profile | StackSettings, dataset: AdDataset, progress: Progress | None = None
) -> list[str]:
    """Metadata columns that the meta-learner sees: those of the profile, else all of the dataset.

    Parameters
    ----------
    profile : Profile or StackSettings
    dataset : AdDataset
    progress : Progress or None
        Receives a remark on metadata of a feature that was left out.

    Raises
    ------
    ProfileError
        If the profile names metadata that the dataset lacks.
    """
    metadata = [
        column
        for given in dataset.inputs.values()
        if given.kind == "metadata"
        for column in given.columns
    ]
    if profile.level2.metadata is None:
        return metadata
    features = profile.features.values() if isinstance(profile, Profile) else ()
    extracted = {one for given in features for one in get_extractor(given.extractor).metadata}
    lacking = [name for name in profile.level2.metadata if name not in metadata]
    for name in lacking:
        if name not in extracted:
            raise ProfileError(
                f"level2.metadata: {dataset.name} has no metadata {name!r}."
                f"{nearest(name, metadata)}"
            )
    if lacking and progress is not None:
        progress.remark(f"The stack is made without {', '.join(lacking)}: no ad has them.")
    return [name for name in profile.level2.metadata if name in metadata]


def plan_feature(name: str, own: AdDataset, context: Context[Profile]) -> PlannedFeature | None:
    """Make the extractor of one of the profile's features.

    Parameters
    ----------
    name : str
    own : AdDataset
        The ads with the inputs that they came with.
    context : Context
        Its ads have the features that are extracted already.

    Returns
    -------
    PlannedFeature or None
        None where every ad came with an input of that name that is used and, with a remark, where
        the source or the checkpoint is missing.

    Raises
    ------
    ProfileError, FeatureError
        If a key is unknown, a value does not suit, the checkpoint is a folder that is not there, or
        the ads came with an input of that name and the profile does not say which to use.
    """
    settings, remark = context.profile.features[name], context.progress.remark
    entry = get_extractor(settings.extractor)
    if own.has(name):
        _check_use(name, settings, entry, own)
    keeps = own.has(name) and settings.use == "dataset"
    readers = _readers(name, context.profile)
    left_out = f"features.{name} is left out"
    if readers:
        left_out += f", and with it {', '.join(readers)}"
    source = _source(name, settings, entry, own, context.dataset)
    if keeps and (source is None or not _to_extract(name, source, context.dataset).any()):
        return None
    if source is None:
        wanted = settings.input or " or ".join(entry.kinds)
        remark(f"{left_out}: {own.name} has no input {wanted}.")
        return None
    known = {"device": context.device} if "device" in entry.parameters else {}
    try:
        extractor = entry.make(**{**known, **settings.params})
    except (TypeError, ValueError) as bad:
        raise FeatureError(f"features.{name}: {bad}") from bad
    lacks = entry.lacks or extractor.lacks()
    lacks = lacks or _not_at_hand(f"features.{name}", settings.params, context.profile)
    if lacks and keeps:
        remark(f"features.{name} is extracted for no ad that lacks {name}: {lacks}")
        return None
    if lacks:
        remark(f"{left_out}: {lacks}")
        return None
    if context.profile.wants(entry.gives) and entry.make.__module__.startswith(
        "competition.features."
    ):
        _check_folder(f"features.{name}", settings.params.get("checkpoint"))
    return PlannedFeature(name, entry, extractor, source, keeps)


def _check_use(name: str, settings: FeatureSettings, entry: ExtractorEntry, own: AdDataset) -> None:
    """Raise a ProfileError unless it is clear what to do with an input of a feature's name."""
    kind = own.inputs[name].kind
    if settings.use is None:
        raise ProfileError(
            f"features.{name}: {own.name} comes with an input {name} of its own. Set "
            f'features.{name}.use to "dataset", to take it and extract for the ads that lack it, '
            'or to "extract", to extract for all; or give the feature another name.'
        )
    if settings.use == "dataset" and kind != entry.gives:
        raise ProfileError(
            f"features.{name}: the input {name} of {own.name} is of kind {kind}, but the extractor "
            f"{entry.name} gives {entry.gives}. Give the feature another name."
        )


def _to_extract(name: str, source: Input, dataset: AdDataset) -> pd.Series:
    """Say of each ad whether it lacks an input and has the source to extract it from."""
    return dataset.lacks(name) & ~dataset.lacks(source.name)


def _source(
    name: str,
    settings: FeatureSettings,
    entry: ExtractorEntry,
    own: AdDataset,
    dataset: AdDataset,
) -> Input | None:
    """The input that a feature is extracted from."""
    if settings.input is None:
        fitting = [
            given
            for given in own.inputs.values()
            if given.kind in entry.kinds and own.has(given.name)
        ]
        if len(fitting) > 1:
            names = ", ".join(given.name for given in fitting)
            raise ProfileError(f"features.{name}: set input to one of {names}.")
        return fitting[0] if fitting else None
    source = dataset.inputs.get(settings.input)
    if source is not None and source.kind not in entry.kinds:
        raise ProfileError(
            f"features.{name}: the input {source.name} is of kind {source.kind}, but the extractor "
            f"{entry.name} reads {', '.join(entry.kinds)}."
        )
    return source if source is not None and dataset.has(source.name) else None


def check_level2(
    profile: Profile | StackSettings, dataset: AdDataset, progress: Progress | None = None
) -> None:
    """Find the mistakes that a profile makes about level 2, before anything is trained or written.

    Parameters
    ----------
    profile : Profile or StackSettings
    dataset : AdDataset
    progress : Progress or None
        Receives a remark on metadata that are not there.

    Raises
    ------
    ModelError, ProfileError
    """
    plan_meta_learners(profile)
    plan_metadata(profile, dataset, progress)
