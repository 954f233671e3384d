"""Ads that a saved stack is to tag: a folder in any layout, a table, or a frame."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from competition.datasets import load_dataset, taac2021
from competition.datasets.base import AdDataset, Input, InputKind, SubmissionSpec, Tag
from competition.datasets.frames import read_new_frame
from competition.datasets.metadata import with_commas
from competition.datasets.problems import Problems
from competition.datasets.reading import Dialect, read_table
from competition.datasets.remote import CACHE, is_url, local_folder
from competition.datasets.table_config import CONFIG, read_config
from competition.datasets.table_rows import Table
from competition.saved.manifest import Manifest
from competition.saved.records import SavedInput
from competition.utils.errors import DatasetError, some
from competition.utils.files import PathLike
from competition.utils.progress import Progress


def open_new_ads(
    source: PathLike | pd.DataFrame | AdDataset,
    manifest: Manifest,
    root: PathLike = ".",
    progress: Progress | None = None,
) -> AdDataset:
    """Read the ads to tag, as test ads of a dataset that has no training ads.

    Parameters
    ----------
    source : path, DataFrame or AdDataset
        A folder of ads in any layout or its URL, of which the test ads are taken, or all where it
        has none; a table, or a frame, with a column of ids and one named as each input of the
        stack.
    manifest : Manifest
    root : path
        What paths in a frame are relative to; those of a table are to its folder.
    progress : Progress or None

    Raises
    ------
    DatasetError
        If they cannot be read, or an input has another kind than in training.
    """
    listener = progress or Progress()
    if not isinstance(source, pd.DataFrame | AdDataset | str | os.PathLike):
        raise DatasetError(
            f"The new ads are a {type(source).__name__}. Pass a DataFrame, or the path of a folder "
            "or a table."
        )
    if isinstance(source, str | os.PathLike) and is_url(os.fspath(source)):
        source = local_folder(os.fspath(source), CACHE, listener)
    if isinstance(source, pd.DataFrame):
        dataset = _of_frame(source, manifest, Path(root), listener)
    elif isinstance(source, AdDataset):
        dataset = _of_folder(source, manifest)
    elif not Path(source).exists():
        raise DatasetError(f"There is no folder and no table {source}. Correct the path.")
    elif Path(source).is_file():
        dataset = _of_table(Path(source), manifest, listener)
    elif (unlabelled := _unlabelled_table(Path(source))) is not None:
        dataset = _of_table(unlabelled, manifest, listener)
    else:
        dataset = _of_folder(_read_folder(Path(source), manifest, listener), manifest)
    for name, given in dataset.inputs.items():
        known = manifest.inputs.get(name)
        if known is not None and known.kind != given.kind:
            raise DatasetError(
                f"The input {name} of the new ads is of kind {given.kind}; the stack learned from "
                f"{known.kind}. Rename it, or save a stack of ads like these."
            )
    lacking = [name for name in manifest.inputs if not dataset.has(name)]
    if lacking:
        listener.remark(f"No ad has {', '.join(lacking)}: as missing, here as in training.")
    return replace(dataset, root=dataset.root.absolute())


def with_all_inputs(dataset: AdDataset, manifest: Manifest) -> AdDataset:
    """Add the columns of features that could not be made, as missing."""
    ads, inputs = dataset.ads, dict(dataset.inputs)
    wanted: dict[str, InputKind] = {
        **manifest.kinds,
        **dict.fromkeys(manifest.level2.metadata, "metadata"),
    }
    absent = {
        name: _nothing(kind, "", ads.index) for name, kind in wanted.items() if name not in ads
    }
    if absent:
        ads = pd.concat([ads, pd.DataFrame(absent)], axis=1)
    for name in manifest.level2.inputs:
        if name not in inputs:
            columns = tuple(column for column in (name,) if column in ads)
            inputs[name] = Input(name, wanted.get(name, "metadata"), columns)
    return replace(dataset, ads=ads, inputs=inputs)


def _of_frame(
    frame: pd.DataFrame,
    manifest: Manifest,
    root: Path,
    progress: Progress,
    table: Table | None = None,
) -> AdDataset:
    names = {str(column) for column in frame.columns}
    inputs = {
        name: _as_described(name, one, names)
        for name, one in manifest.inputs.items()
        if one.columns
    }
    described = {
        "name": manifest.dataset,
        "id": manifest.id_column,
        "inputs": inputs,
        "null_words": manifest.null_words,
        # Not read: a description without tags is none.
        "tags": [{"column": "tags", "dimension": manifest.tags[0].dimension}],
    }
    ads, found = read_new_frame(frame, described, root, manifest.readings, table, progress)
    return _dataset(ads, found, manifest, root)


def _as_described(name: str, given: SavedInput, columns: set[str]) -> dict[str, object]:
    """How an input is read: from the columns of training, else from one of its own name."""
    settings = dict(given.settings)
    known = {settings.get("column"), *settings.get("columns", ())}
    if given.kind != "metadata" and not known & columns and name in columns:
        settings.pop("columns", None)
        settings["column"] = name
    return settings


def _of_table(path: Path, manifest: Manifest, progress: Progress) -> AdDataset:
    problems = Problems()
    dialect = Dialect(commas=with_commas(manifest.readings))
    table = read_table(path, path.name, [manifest.id_column], problems, dialect=dialect)
    problems.raise_errors(f"{path} has")
    return _of_frame(table.cells, manifest, path.parent, progress, table)


def _unlabelled_table(root: Path) -> Path | None:
    """Return the table that a competition.toml names where no labels are there; else None."""
    if not (root / CONFIG).is_file():
        return None
    config = read_config(root)
    train = root / config.train
    if not train.is_file():
        return None if config.test is None else root / config.test
    needed = {column for tags in config.tags if tags.file is None for column in tags.required}
    if any(tags.file is not None and not (root / tags.file).is_file() for tags in config.tags):
        return train
    dialect = Dialect(config.encoding, config.delimiter)
    found = read_table(train, config.train, [config.id], Problems(), dialect=dialect)
    return None if needed <= set(found.cells.columns) else train


def _read_folder(root: Path, manifest: Manifest, progress: Progress) -> AdDataset:
    """Read a folder of ads, in the layout of TAAC 2021 without labels too."""
    labelled = any((root / one).is_file() for one in (CONFIG, taac2021.GROUND_TRUTH))
    if labelled or not taac2021.has_test_ads(root):
        return load_dataset(root, progress, manifest.readings)
    problems = Problems()
    dataset = taac2021.read(root, problems, dict(manifest.readings), labelled=False)
    problems.raise_errors(f"{root} has")
    problems.tell_absent_files(progress)
    if dataset.ads.empty:
        raise DatasetError(f"{root} has folders of test ads, and none has a file. Add the files.")
    return dataset.sorted_by_id()


def _of_folder(dataset: AdDataset, manifest: Manifest) -> AdDataset:
    chosen = dataset.test_ids if len(dataset.test_ids) else dataset.ads.index
    if not set(dataset.inputs) & set(manifest.inputs):
        raise DatasetError(
            f"{dataset.name} has the inputs {some(dataset.inputs, 10)}, and none that the stack "
            f"knows: {some(manifest.inputs, 10)}."
        )
    known = {name: one for name, one in dataset.inputs.items() if name in manifest.inputs}
    columns = [column for one in known.values() for column in one.columns]
    return _dataset(dataset.ads.loc[chosen, columns], known, manifest, dataset.root)


def _dataset(
    ads: pd.DataFrame, inputs: dict[str, Input], manifest: Manifest, root: Path
) -> AdDataset:
    """Test ads with all inputs of training; those that are not there are missing from all."""
    columns = {name: ads[name] for name in ads}
    every = dict(inputs)
    for name, one in manifest.inputs.items():
        every.setdefault(name, Input(name, one.kind, one.columns))
        for column in one.columns:
            if column not in columns:
                columns[column] = _nothing(one.kind, one.types.get(column, ""), ads.index)
            elif one.kind == "metadata":
                columns[column] = _of_type(columns[column], one.types.get(column, ""))
    split = pd.Series("test", index=ads.index, dtype="str")
    return AdDataset(
        name=manifest.dataset,
        root=root,
        ads=pd.DataFrame({"split": split, **columns}, index=ads.index),
        tags=tuple(Tag(tag.name, tag.dimension) for tag in manifest.tags),
        labels=np.zeros((0, len(manifest.tags)), dtype=np.uint8),
        inputs={
            name: every[name] for name in [*manifest.inputs, *(set(every) - set(manifest.inputs))]
        },
        submission=SubmissionSpec(manifest.submission, manifest.top_k, manifest.id_column),
    )


def _of_type(values: pd.Series, of_type: str) -> pd.Series:
    """Return metadata as training had it.

    Raises
    ------
    DatasetError
        If a column of categories was read as one of numbers: what stood there is lost by then.
    """
    is_number = pd.api.types.is_numeric_dtype(values)
    if of_type == "category" and is_number and values.notna().any():
        raise DatasetError(
            f"The column {values.name} of the new ads holds numbers alone, and was one of "
            f"categories in training. Declare it in competition.toml: types = {{{values.name} = "
            '"category"}.'
        )
    if of_type in ("number", "date"):
        return pd.to_numeric(values, errors="coerce").astype("float64")
    return values


def _nothing(kind: str, of_type: str, index: pd.Index) -> pd.Series:
    if kind == "text":
        return pd.Series("", index=index, dtype="str")
    if kind == "metadata" and of_type == "category":
        return pd.Series(pd.Categorical([None] * len(index)), index=index)
    if kind == "metadata":
        return pd.Series(np.nan, index=index, dtype="float64")
    return pd.Series([None] * len(index), index=index, dtype=object)
