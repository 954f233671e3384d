"""Frames of Pandas in place of a folder of tables, as a notebook has them."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from competition.datasets.base import AdDataset
from competition.datasets.formats import as_text
from competition.datasets.problems import Problems, shortened
from competition.datasets.reading import Table
from competition.datasets.table import assemble
from competition.datasets.table_config import TableConfig
from competition.utils.errors import DatasetError
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
    dataset = assemble(config, root, tables, {}, "from_frames", problems)
    problems.raise_errors("The frames have")
    return dataset.sorted_by_id()


def _table(frame: pd.DataFrame, name: str, id_column: str) -> Table:
    """Return a frame as a table of text; where it has no column of ids, its index holds them."""
    what = f"from_frames: {name}"
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
