"""From the media of a dataset to inputs that models read: arrays, texts and metadata."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from competition.config.profile import Profile
from competition.datasets.base import AdDataset, Input, files_of
from competition.execution.engines import LOCAL, running_on
from competition.features.base import Item
from competition.features.registry import get_extractor
from competition.features.run import extract_missing
from competition.features.several import join_files
from competition.features.store import Digests, FeatureStore, feature_settings
from competition.pipeline.context import Context, open_context
from competition.pipeline.imagined import planned_features, without_input
from competition.pipeline.origins import made_by
from competition.pipeline.plan import PlannedFeature, plan_feature
from competition.pipeline.settings import refuse_limits
from competition.utils.errors import CompetitionError, FeatureError, ProfileError, StoreError
from competition.utils.files import PathLike, digest
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
        Ad, file and reason of those that count as missing; of an ad with several files the others
        count.
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


def extract(
    data: PathLike,
    profile: Profile,
    out: PathLike = ".",
    *,
    n_jobs: int | None = None,
    device: str = "auto",
    on: str = LOCAL,
    progress: Progress | None = None,
) -> tuple[AdDataset, list[Extraction]]:
    r"""Read a folder of ads and extract the features of a profile.

    Parameters
    ----------
    data : path
        Folder of ads.
    profile : Profile
    out : path
        Folder that receives ``cache/``.
    n_jobs : int or None
        Processes; None takes one per core.
    device : str
        Where networks run.
    on : str
        Where tasks run: "local", "ray", "slurm" or "slurm:local".
    progress : Progress or None

    Returns
    -------
    (AdDataset, list of Extraction)
        The ads with their features as inputs, and what became of each feature.

    Raises
    ------
    ProfileError, FeatureError
        If a feature cannot be what the profile says.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from pathlib import Path
    >>> from competition import extract, load_profile
    >>> with TemporaryDirectory() as folder:
    ...     data = Path(folder, "ads")
    ...     data.mkdir()
    ...     for ad in "ab":
    ...         np.save(data / f"{ad}.npy", np.full((3, 2), float(ord(ad))))
    ...     _ = (data / "train.csv").write_text("id,vectors,tags\na,a.npy,x\nb,b.npy,y\n")
    ...     _ = (data / "competition.toml").write_text(
    ...         'name = "two"\ntrain = "train.csv"\nid = "id"\n'
    ...         '[[tags]]\ncolumn = "tags"\ndimension = "tag"\n'
    ...         '[inputs.vectors]\nkind = "array"\ncolumn = "vectors"\n'
    ...     )
    ...     ads, (vectors,) = extract(data, load_profile("clips"), folder, n_jobs=1)
    >>> vectors.feature, vectors.n_new, vectors.shape
    ('vectors', 2, '3 x 2 (median)')
    """
    refuse_limits(profile, "extract")
    context = open_context(data, profile, out, n_jobs=n_jobs, device=device, progress=progress)
    with running_on(on, context.out, context.dataset.root, n_jobs, context.progress):
        context, extractions = extract_features(context)
    return context.dataset, extractions


def extract_features(context: Context[Profile]) -> tuple[Context[Profile], list[Extraction]]:
    """Extract the features that a profile names; return the context with them.

    A feature becomes an input under its own name. Where the ads came with an input of that name,
    the profile's `use` says what becomes of it. A feature whose source or checkpoint is missing is
    left out, with a remark.

    Returns
    -------
    (Context, list of Extraction)
        Cells of every array input are `ArrayRef`, or None where missing.

    Raises
    ------
    ProfileError, FeatureError
        If a feature cannot be what the profile says.
    """
    profile, own = context.profile, context.dataset
    planned_features(replace(context, progress=Progress()))  # raises what is to be raised at once
    digests, done = Digests(context.digests_file), []
    npy = get_extractor("npy")
    for given in own.inputs.values():
        if given.kind == "array" and own.has(given.name) and profile.wants("array"):
            planned = PlannedFeature(given.name, npy, npy.make(), given)
            context, extraction = _extract(context, planned, own, digests)
            done.append(extraction)
    for name in profile.features:
        feature = plan_feature(name, own, context)
        if feature is None and own.has(name) and profile.features[name].use == "extract":
            context = context.with_dataset(without_input(context.dataset, name))
        if feature is not None and profile.wants(feature.entry.gives):
            context, extraction = _extract(context, feature, own, digests)
            done.append(extraction)
    digests.save()
    return context, done


def _extract(
    context: Context[Profile], planned: PlannedFeature, own: AdDataset, digests: Digests
) -> tuple[Context[Profile], Extraction]:
    """Extract one feature; return the context with it, and what became of it."""
    start = time.perf_counter()
    dataset = context.dataset
    cells = _source_cells(dataset, planned.source, own)
    if planned.keeps:
        cells = cells[dataset.lacks(planned.name)]
    files, items = source_items(dataset.root, planned.source, cells, digests)
    kind = planned.source.kind
    try:
        settings = feature_settings(planned.entry, planned.extractor, digests, kind)
        store = FeatureStore(context.features_folder, settings)
        n_new = extract_missing(
            planned.extractor,
            items,
            store,
            n_jobs=context.n_jobs,
            progress=context.progress,
            stage=f"extracting {planned.name}",
        )
    except CompetitionError as bad:
        raise type(bad)(f"features.{planned.name}: {bad}") from bad
    stored = store.read()
    if not set(items) <= set(stored.index):
        raise StoreError(
            f"Files of {store.folder} were removed while they were in use. Run again: their ads "
            "are extracted again."
        )
    keys = join_files(store, files)
    if not set(keys.values()) <= set(stored.index):  # of ads with several files, joined just now
        stored = store.read()
    found = stored.reindex(list(dict.fromkeys(keys.values())))
    errors = {str(key): str(error) for key, error in stored["error"].items()}
    reasons = {ad: errors[key] for ad, key in keys.items() if errors[key]}
    known = context.dims.get(planned.name)
    columns, shape = _columns(dataset, planned, store, found, keys, reasons, known)
    faults = tuple(_faults(cells, planned.source, files, errors, reasons))
    extraction = Extraction(
        planned.name,
        planned.entry.name,
        planned.source.name,
        len(keys),
        n_new,
        shape,
        faults,
        time.perf_counter() - start,
    )
    if planned.keeps:
        columns = _filled(dataset, planned, columns)
    extended = _with_input(dataset, planned, columns)
    return context.with_dataset(extended), extraction


def extract_stored(
    context: Context[Profile], planned: PlannedFeature, own: AdDataset, digests: Digests
) -> Context[Profile]:
    """Return the context with a feature that is stored of all ads; nothing is written."""
    return _extract(context, planned, own, digests)[0]


def _source_cells(dataset: AdDataset, source: Input, own: AdDataset) -> pd.Series:
    """Texts or paths that a feature is extracted from; arrays are read already in `dataset`."""
    ads = own.ads if source.kind == "array" and source.name in own.inputs else dataset.ads
    return ads[source.columns[0]]


def source_items(
    root: Path, source: Input, cells: pd.Series, digests: Digests
) -> tuple[dict[str, list[str]], dict[str, Item]]:
    """Keys of the files, or of the text, of each ad to extract, and the items by key."""
    keys: dict[str, list[str]] = {}
    items: dict[str, Item] = {}
    for ad, cell in cells.dropna().items():
        if source.kind == "text":
            if not cell:
                continue
            its = {digest(cell): Item("text", cell)}
            keys[str(ad)] = list(its)
        else:
            paths = [root / file for file in files_of(cell)]
            keys[str(ad)] = [digests.of(path) for path in paths]
            its = {
                key: Item(source.kind, path) for key, path in zip(keys[str(ad)], paths, strict=True)
            }
        for key, item in its.items():
            items.setdefault(key, item)
    return keys, items


def _faults(
    cells: pd.Series,
    source: Input,
    files: dict[str, list[str]],
    errors: dict[str, str],
    reasons: dict[str, str],
) -> Iterator[tuple[str, str, str]]:
    """Name the files that cannot be read, or whose ad is without the feature for another reason."""
    for ad, keys in files.items():
        paths = [""] if source.kind == "text" else files_of(cells[ad])
        for path, key in zip(paths, keys, strict=True):
            if errors[key]:
                yield ad, path, errors[key]
        if ad in reasons and not any(errors[key] for key in keys):
            yield ad, ", ".join(paths), reasons[ad]


def _columns(
    dataset: AdDataset,
    planned: PlannedFeature,
    store: FeatureStore,
    found: pd.DataFrame,
    keys: dict[str, str],
    reasons: dict[str, str],
    known: int | None,
) -> tuple[dict[str, pd.Series], str]:
    """Columns of the new input, and what an ad has in them."""
    index, gives = dataset.ads.index, planned.entry.gives
    if gives == "text":
        texts = {ad: found.at[key, "text"] for ad, key in keys.items() if ad not in reasons}
        return {planned.name: pd.Series(texts, dtype="str").reindex(index, fill_value="")}, "text"
    if gives == "metadata":
        rows = pd.Series(keys, dtype="str").reindex(index)
        replaced = dataset.inputs[planned.name].columns if planned.name in dataset.inputs else ()
        taken = set(dataset.ads.columns) - set(replaced)
        columns = {
            name: rows.map(found.get(name, {})).astype("float64")
            for name in planned.entry.metadata
            if name not in taken
        }
        own = ", ".join(name for name in planned.entry.metadata if name in taken)
        return columns, f"{len(columns)} metadata" + (f" (own: {own})" if own else "")
    refs: dict[str, Any] = {}
    if len(reasons) < len(keys):
        usual = known or int(found["dims"].mode()[0])
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


def _filled(
    dataset: AdDataset, planned: PlannedFeature, columns: dict[str, pd.Series]
) -> dict[str, pd.Series]:
    """Columns of an input that the ads came with, filled by what was extracted.

    Raises
    ------
    FeatureError
        If arrays have another number of columns than those of the dataset.
    """
    own = dataset.ads[list(dataset.inputs[planned.name].columns)]
    lacking = dataset.lacks(planned.name)
    if planned.entry.gives == "array":
        old, new = own[planned.name].dropna(), columns[planned.name].dropna()
        if len(new) and {one.dims for one in new} != {one.dims for one in old}:
            raise FeatureError(
                f"features.{planned.name}: {planned.entry.name} gives {new.iloc[0].dims} values a "
                f"row, and the arrays of {dataset.name} have {old.iloc[0].dims}: they cannot stand "
                "in one input. Give the feature another name."
            )
    return {name: own[name].where(~lacking, columns.get(name)) for name in own.columns} | {
        name: column for name, column in columns.items() if name not in own.columns
    }


def _with_input(
    dataset: AdDataset, planned: PlannedFeature, columns: dict[str, pd.Series]
) -> AdDataset:
    name, gives = planned.name, planned.entry.gives
    if gives != "metadata" and name not in dataset.inputs and name in dataset.ads.columns:
        raise ProfileError(
            f"features.{name}: {dataset.name} has metadata of that name. Rename the feature."
        )
    ads = dataset.ads.drop(columns=[column for column in columns if column in dataset.ads])
    ads = pd.concat([ads, pd.DataFrame(columns, index=ads.index)], axis=1)
    made = Input(name, gives, tuple(columns), made_by(planned))
    inputs = {**dataset.inputs, name: made}
    return replace(dataset, ads=ads, inputs=inputs)
