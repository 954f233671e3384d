"""From the media of a dataset to inputs that models read: arrays, texts and metadata."""

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from competition.config.profile import FeatureSettings, Profile
from competition.datasets import load_dataset
from competition.datasets.base import AdDataset, Input
from competition.features.base import Extractor, Item
from competition.features.registry import ExtractorEntry, get_extractor
from competition.features.run import extract_missing
from competition.features.store import Digests, FeatureStore, feature_settings
from competition.utils.errors import CompetitionError, FeatureError, ProfileError, nearest
from competition.utils.files import digest
from competition.utils.progress import Progress


@dataclass(frozen=True)
class Extraction:
    """What became of one feature.

    Attributes
    ----------
    feature, extractor, source : str
        Names; `source` is the input that was read.
    n_ads, n_new : int
        Ads that have the source, and those of them that were extracted now.
    shape : str
        What an ad has: "16 x 384 (median)", "text", "7 metadata".
    faults : tuple of (str, str, str)
        Ad, file and reason of those that count as missing.
    seconds : float
    """

    feature: str
    extractor: str
    source: str
    n_ads: int
    n_new: int
    shape: str
    faults: tuple[tuple[str, str, str], ...]
    seconds: float


@dataclass(frozen=True)
class _Planned:
    name: str
    entry: ExtractorEntry
    extractor: Extractor
    source: Input


@dataclass(eq=False)
class _Run:
    dataset: AdDataset
    root: Path
    digests: Digests
    n_jobs: int
    n_cores: int
    progress: Progress
    done: list[Extraction] = field(default_factory=list)


def open_ads(
    data: Path,
    profile: Profile,
    out: Path,
    *,
    n_jobs: int,
    n_cores: int,
    device: str = "auto",
    progress: Progress,
) -> tuple[AdDataset, list[Extraction]]:
    """Read a folder of ads and extract the features that a profile asks for.

    A feature becomes an input under its own name. What the dataset brings under that name is used
    instead; a feature whose source or checkpoint is not there is left out, and the progress told.

    Parameters
    ----------
    data : Path
        Folder of ads.
    profile : Profile
    out : Path
        Folder that holds ``cache/``.
    n_jobs : int
        Processes at a time.
    n_cores : int
    device : str
        Where networks run.
    progress : Progress

    Returns
    -------
    (AdDataset, list of Extraction)
        Cells of every array input are `ArrayRef`, or None where missing.

    Raises
    ------
    ProfileError, FeatureError
        If a feature cannot be what the profile says.
    """
    dataset = load_dataset(data, progress)
    run = _Run(
        dataset,
        out / "cache",
        Digests(out / "cache" / "digests.parquet"),
        n_jobs,
        n_cores,
        progress,
    )
    for given in dataset.inputs.values():
        if given.kind == "array" and _wanted(profile, "array"):
            npy = get_extractor("npy")
            _extract(run, _Planned(given.name, npy, npy.make(), given))
    for name, settings in profile.features.items():
        planned = _plan(name, settings, dataset, run.dataset, device, progress)
        if planned is not None and _wanted(profile, planned.entry.gives):
            _extract(run, planned)
    run.digests.save()
    return run.dataset, run.done


def _wanted(profile: Profile, kind: str) -> bool:
    return profile.kinds is None or kind in profile.kinds


def _plan(
    name: str,
    settings: FeatureSettings,
    own: AdDataset,
    dataset: AdDataset,
    device: str,
    progress: Progress,
) -> _Planned | None:
    """Make the extractor of a feature; None, with a remark, where it cannot be had here."""
    entry = get_extractor(settings.extractor)
    for parameter in settings.params:
        if parameter == "model" and "checkpoint" in entry.parameters:
            raise ProfileError(f"features.{name}.model: that key is now checkpoint.")
        if parameter not in entry.parameters:
            hint = nearest(parameter, entry.parameters)
            raise ProfileError(f"features.{name}: unknown key {parameter}.{hint}")
    if name in own.inputs:
        return None
    source = _source(name, settings, entry, own, dataset)
    if source is None:
        wanted = settings.input or " or ".join(entry.kinds)
        progress.remark(f"features.{name} is left out: {own.name} has no input {wanted}.")
        return None
    known = {"device": device} if "device" in entry.parameters else {}
    try:
        extractor = entry.make(**{**known, **settings.params})
    except (TypeError, ValueError) as bad:
        raise FeatureError(f"features.{name}: {bad}") from bad
    lacks = extractor.lacks()
    if lacks:
        progress.remark(f"features.{name} is left out: {lacks}")
        return None
    return _Planned(name, entry, extractor, source)


def _source(
    name: str,
    settings: FeatureSettings,
    entry: ExtractorEntry,
    own: AdDataset,
    dataset: AdDataset,
) -> Input | None:
    """The input that a feature is extracted from."""
    if settings.input is None:
        fitting = [given for given in own.inputs.values() if given.kind in entry.kinds]
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
    return source


def _extract(run: _Run, planned: _Planned) -> None:
    """Extract one feature and add it to the dataset."""
    start = time.perf_counter()
    keys, items = _items(run, planned.source)
    store = FeatureStore(
        run.root / "features", feature_settings(planned.entry, planned.extractor, run.digests)
    )
    try:
        n_new = extract_missing(
            planned.extractor,
            items,
            store,
            n_jobs=run.n_jobs,
            n_cores=run.n_cores,
            progress=run.progress,
            stage=f"extracting {planned.name}",
        )
    except CompetitionError as bad:
        raise type(bad)(f"features.{planned.name}: {bad}") from bad
    found = store.read().reindex(list(items))
    errors = {str(key): str(error) for key, error in found["error"].items()}
    reasons = {ad: errors[key] for ad, key in keys.items() if errors[key]}
    columns, shape = _columns(run.dataset, planned, store, found, keys, reasons)
    sources = run.dataset.ads[planned.source.columns[0]]
    is_text = planned.source.kind == "text"
    faults = tuple((ad, "" if is_text else str(sources[ad]), why) for ad, why in reasons.items())
    run.dataset = _with_input(run.dataset, planned.name, planned.entry.gives, columns)
    seconds = time.perf_counter() - start
    done = Extraction(
        planned.name,
        planned.entry.name,
        planned.source.name,
        len(keys),
        n_new,
        shape,
        faults,
        seconds,
    )
    run.done.append(done)


def _items(run: _Run, source: Input) -> tuple[dict[str, str], dict[str, Item]]:
    """Key of each ad that has the source, and the items by key."""
    keys: dict[str, str] = {}
    items: dict[str, Item] = {}
    for ad, cell in run.dataset.ads[source.columns[0]].dropna().items():
        if source.kind == "text":
            if not cell:
                continue
            key, item = digest(cell), Item("text", cell)
        else:
            path = run.dataset.root / cell
            key, item = run.digests.of(path), Item(source.kind, path)
        keys[str(ad)] = key
        items.setdefault(key, item)
    return keys, items


def _columns(
    dataset: AdDataset,
    planned: _Planned,
    store: FeatureStore,
    found: pd.DataFrame,
    keys: dict[str, str],
    reasons: dict[str, str],
) -> tuple[dict[str, pd.Series], str]:
    """Columns of the new input, and what an ad has in them."""
    index, gives = dataset.ads.index, planned.entry.gives
    if gives == "text":
        texts = {ad: found.at[key, "text"] for ad, key in keys.items() if ad not in reasons}
        return {planned.name: pd.Series(texts, dtype="str").reindex(index, fill_value="")}, "text"
    if gives == "metadata":
        rows = pd.Series(keys, dtype="str").reindex(index)
        columns = {
            fact: rows.map(found.get(fact, {})).astype("float64")
            for fact in planned.entry.metadata
            if fact not in dataset.ads.columns
        }
        return columns, f"{len(columns)} metadata"
    refs: dict[str, Any] = {}
    if len(reasons) < len(keys):
        usual = int(found["dims"].mode()[0])
        for row in found[found["error"] == ""].itertuples():
            refs[str(row.Index)] = store.ref(str(row.Index), row)
        for ad, key in keys.items():
            if ad not in reasons and refs[key].dims != usual:
                reasons[ad] = f"it has {refs[key].dims} values a row where most have {usual}"
    cells = {ad: refs[key] for ad, key in keys.items() if ad not in reasons}
    column = pd.Series(cells, dtype=object).reindex(index)
    column[column.isna()] = None
    shape = "nothing"
    if cells:
        n_rows = int(np.median([ref.rows for ref in cells.values()]))
        shape = f"{n_rows} x {usual} (median)"
    return {planned.name: column}, shape


def _with_input(
    dataset: AdDataset, name: str, gives: Any, columns: dict[str, pd.Series]
) -> AdDataset:
    if gives != "metadata" and name not in dataset.inputs and name in dataset.ads.columns:
        raise ProfileError(
            f"features.{name}: {dataset.name} has a fact of that name; call the feature otherwise."
        )
    ads = dataset.ads.drop(columns=[column for column in columns if column in dataset.ads])
    ads = pd.concat([ads, pd.DataFrame(columns, index=ads.index)], axis=1)
    inputs = {**dataset.inputs, name: Input(name, gives, tuple(columns))}
    return replace(dataset, ads=ads, inputs=inputs)
