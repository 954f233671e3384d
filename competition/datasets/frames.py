"""Frames of Pandas in place of a folder of tables, as a notebook has them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from competition.datasets.base import AdDataset, Input
from competition.datasets.formats import as_cell, as_text
from competition.datasets.metadata import Reading, with_commas
from competition.datasets.problems import Problems, shortened
from competition.datasets.table import Rows, assemble, input_columns
from competition.datasets.table_config import TableConfig
from competition.datasets.table_rows import Table
from competition.utils.errors import DatasetError, some
from competition.utils.progress import Progress
from competition.utils.settings import parse_settings


def read_frames(
    train: pd.DataFrame, test: pd.DataFrame | None, settings: Mapping[str, object], root: Path
) -> AdDataset:
    """Read frames as `AdDataset.from_frames` says; an error of a row raises a DatasetError."""
    config = parse_settings(TableConfig, dict(settings), "from_frames", DatasetError)
    if any(tags.file is not None for tags in config.tags):
        raise DatasetError("from_frames: tags come from the frame; join the labels to it first.")
    tables = [_table(train, "train", config.id)]
    if test is not None:
        tables.append(_table(test, "test", config.id))
    labels = [column for tags in config.tags for column in tags.required]
    of_train = [*labels, *(one for one in (config.group, config.split) if one is not None)]
    for table, more in zip(tables, (of_train, []), strict=False):
        absent = [c for c in (*config.input_columns, *more) if c not in table.cells.columns]
        if absent:
            has = ", ".join(map(repr, table.cells.columns))
            raise DatasetError(f"from_frames: {table.name} has no column {absent[0]!r}, but {has}.")
    problems = Problems()
    readings: dict[str, Reading] = {}
    dataset = assemble(config, root, tables, {}, "from_frames", problems, readings)
    problems.raise_errors("The frames have")
    described = {**dataset.described, "readings": readings}
    return replace(dataset.sorted_by_id(), described=described)


def read_new_frame(
    frame: pd.DataFrame,
    settings: Mapping[str, object],
    root: Path,
    readings: Mapping[str, Reading],
    read_from: Table | None = None,
    progress: Progress | None = None,
) -> tuple[pd.DataFrame, dict[str, Input]]:
    """Read the inputs of ads that have no labels.

    Parameters
    ----------
    frame : DataFrame
        One row per ad; an input that has no column here is missing from all ads.
    settings : mapping
        As of `AdDataset.from_frames`, with all inputs that are known.
    root : Path
    readings : dict of str to Reading
        How columns of metadata are read. What is a number already, no text, is what it is.
    read_from : Table or None
        The table that the frame was read from, whose places faults are told by.
    progress : Progress or None
        Is told which files are not there.

    Returns
    -------
    ads : DataFrame indexed by ad id
        In the order of `frame`.
    inputs : dict of str to Input

    Raises
    ------
    DatasetError
        If an ad has no id, or that of another, a cell cannot be read, or no input is there.
    """
    config = parse_settings(TableConfig, dict(settings), "new ads", DatasetError)
    table = _table(_with_marks(frame, readings), "the frame", config.id, "new ads")
    if read_from is not None:
        table = replace(read_from, cells=table.cells)
    there = {
        name: spec
        for name, spec in config.inputs.items()
        if set(spec.all_columns) & set(table.cells.columns)
    }
    if not there:
        raise DatasetError(
            f"The new ads have the columns {some(map(repr, table.cells.columns), 10)}, and none of "
            f"the inputs {some(map(repr, config.input_columns), 10)}. Name the columns as the "
            "inputs."
        )
    for name in {column for spec in there.values() for column in spec.all_columns}:
        if name not in table.cells.columns:
            table.cells[name] = ""
    ids = table.cells[config.id]
    for wrong, what in ((ids == "", "has no id"), (ids.duplicated(), "has the id of another")):
        if wrong.any():
            row = int(np.argmax(wrong.to_numpy()))
            shown = f" ({shortened(ids.iloc[row])})" if ids.iloc[row] else ""
            raise DatasetError(
                f"{table.place(row)}: the ad {what}{shown}. Give each ad an id of its own."
            )
    cells = table.cells.set_index(pd.Index(ids, name="id", dtype="str"))
    every = np.arange(len(cells))
    places = np.column_stack([np.zeros_like(every), every])
    rows = Rows(cells, np.zeros(len(cells), dtype=bool), (table,), places)
    problems = Problems()
    columns, inputs = input_columns(
        config.model_copy(update={"inputs": there}),
        root,
        rows,
        "new ads",
        problems,
        dict(readings),
    )
    problems.raise_errors("The new ads have")
    problems.tell_absent_files(progress)
    return pd.DataFrame(columns, index=cells.index), inputs


def _with_marks(frame: pd.DataFrame, readings: Mapping[str, Reading]) -> pd.DataFrame:
    """Write numbers of columns that have decimal commas with commas."""
    if not isinstance(frame, pd.DataFrame) or frame.columns.nlevels > 1:
        return frame  # which is refused
    written = {
        name: [
            value if isinstance(value, str) else as_cell(value, comma=True) for value in frame[name]
        ]
        for name in sorted(with_commas(readings))
        if list(frame.columns).count(name) == 1
    }
    return frame.assign(**written) if written else frame


def _table(frame: pd.DataFrame, name: str, id_column: str, caller: str = "from_frames") -> Table:
    """Return a frame as a table of text; where it has no column of ids, its index holds them."""
    what = f"{caller}: {name}"
    if not isinstance(frame, pd.DataFrame):
        raise DatasetError(f"{what} is a {type(frame).__name__}. Pass a DataFrame.")
    if frame.columns.nlevels > 1:
        raise DatasetError(f"{what} has columns of several levels. Give each one name.")
    names = [str(column) for column in frame.columns]
    twice = [one for one, count in Counter(names).items() if count > 1]
    if twice:
        raise DatasetError(f"{what}: column {twice[0]!r} stands twice. Rename or drop one.")
    cells = {column: _texts(frame.iloc[:, i], what) for i, column in enumerate(names)}
    if id_column not in cells:
        if frame.index.nlevels > 1:
            raise DatasetError(
                f"{what} has no column {id_column!r}, and an index of several levels. Call "
                "reset_index(), and name the column of ids."
            )
        cells = {id_column: _texts(frame.index.to_series(name="the index"), what), **cells}
    return Table(name, pd.DataFrame(cells), np.arange(1, len(frame) + 1), ", row ")


def _texts(column: pd.Series, what: str) -> pd.Series:
    texts = []
    for row, value in enumerate(column, start=1):
        try:
            texts.append(as_text(value).strip())
        # A list that holds itself, endless nesting, keys that JSON lacks, thousands of digits.
        except (ValueError, TypeError, RecursionError) as bad:
            raise DatasetError(
                f"{what}, row {row}: column {column.name!r} holds a {type(value).__name__} that "
                f"cannot be written as text: {shortened(str(bad))}. Pass it as a text."
            ) from None
    return pd.Series(texts, dtype="str")
