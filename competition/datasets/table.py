"""Layout `table`: tables of any form and a competition.toml that describes them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from competition.datasets.base import BETWEEN_FILES, RESERVED, AdDataset, Input, SubmissionSpec
from competition.datasets.metadata import Reading, is_null, metadata_column, with_commas
from competition.datasets.paths import KINDS, SENTENCES, DatasetFolder, hint_for_absent, is_url
from competition.datasets.problems import Problems, shortened
from competition.datasets.reading import Dialect, read_table
from competition.datasets.table_config import (
    CONFIG,
    InputSettings,
    TableConfig,
    TagSettings,
    read_config,
)
from competition.datasets.table_labels import TagSource, read_labels, tag_columns, tag_list
from competition.datasets.table_rows import Table, printable
from competition.utils.errors import DatasetError


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of all ads, training ads first.

    Attributes
    ----------
    cells : DataFrame of str, indexed by ad id
    is_train : ndarray of shape (n_ads,), dtype bool
    tables : tuple of Table
    places : ndarray of shape (n_ads, 2), dtype int64
        The table of each ad, and the row in it.
    """

    cells: pd.DataFrame
    is_train: np.ndarray
    tables: tuple[Table, ...]
    places: np.ndarray

    def place(self, position: int) -> str:
        table, row = self.places[position]
        return self.tables[table].place(row)


def read(root: Path, problems: Problems, readings: dict[str, Reading]) -> AdDataset:
    """Read a folder of this layout; add the faults of its rows to `problems`.

    `readings` says how columns of metadata are read; those that it lacks are added.
    """
    config = read_config(root)
    folder = DatasetFolder(root)
    source = str(root / CONFIG)
    patterns = [tags.pattern for tags in config.tags if tags.pattern and tags.file is None]
    columns = [config.id, *config.input_columns]
    labels = [column for tags in config.tags if tags.file is None for column in tags.required]
    needed = [*columns, *labels, *(one for one in (config.group, config.split) if one)]
    others = [*patterns, *([config.group] if config.group else [])]
    commas = with_commas(readings)

    def table(key: str, file: str, required: list[str], others: list[str]) -> Table:
        fault = folder.path_inside(file)
        if fault in ("outside", "no regular file"):
            raise DatasetError(
                f"{source}: {key} = {file!r} {SENTENCES[fault]}. Copy the file into the folder."
            )
        dialect = Dialect(config.encoding, config.delimiter, commas)
        return read_table(
            root / file, file, _once(required), problems, others=others, dialect=dialect
        )

    tables = [table("train", config.train, needed, others)]
    if config.test is not None:
        tables.append(table("test", config.test, columns, others))
    own = {
        place: table(
            f"tags.{place}.file",
            tags.file,
            [config.id, *tags.required],
            [tags.pattern] if tags.pattern else [],
        )
        for place, tags in enumerate(config.tags)
        if tags.file is not None
    }
    return assemble(config, root, tables, own, source, problems, readings)


def assemble(
    config: TableConfig,
    root: Path,
    tables: list[Table],
    own: Mapping[int, Table],
    source: str,
    problems: Problems,
    readings: dict[str, Reading],
) -> AdDataset:
    """Make a dataset of tables: the training ads', the test ads', and those of tags (`own`)."""
    rows = _rows(config, tables, problems)
    split = np.where(rows.is_train, "train", "test")
    columns = {"split": pd.Series(split, index=rows.cells.index, dtype="str")}
    if config.group is not None:
        columns["group"] = _groups(rows, config.group, problems)
    made, inputs = input_columns(config, root, rows, source, problems, readings, columns)
    columns |= made
    train = rows.cells[rows.is_train]
    positions = np.flatnonzero(rows.is_train)
    sources = []
    for number, tags in enumerate(config.tags):
        names = tag_list(tags, root, source)
        taken = _taken(config, tags)
        if number in own:
            table = own[number]
            ids = table.cells[config.id]
            _note_strangers(ids, rows, table.name, problems)
            cells = table.cells.set_index(config.id, drop=False)
            sources.append(
                TagSource(
                    tags, cells, train.index.get_indexer(pd.Index(ids)), table.place, names, taken
                )
            )
        else:
            every = np.arange(len(train))
            place = _placed(rows, positions)
            sources.append(TagSource(tags, train, every, place, names, taken))
    every_tag, labels = read_labels(sources, len(train), config.nulls, config.train, problems)
    if every_tag:
        for row in np.flatnonzero(~labels.any(axis=1)).tolist():
            at = rows.place(positions[row])
            problems.warning("no tag", at, "the ad has no tag.", train.index[row])
    return AdDataset(
        name=config.name,
        root=root,
        ads=pd.DataFrame(columns, index=rows.cells.index),
        tags=every_tag,
        labels=labels,
        inputs=inputs,
        submission=SubmissionSpec(config.submission.format, config.submission.top_k, config.id),
        tag_columns=tag_columns(sources, config.nulls),
        tags_are_closed=all(_is_closed(one.settings, one.names) for one in sources),
        described=config.model_dump(
            mode="json", include={"inputs", "null_words"}, exclude_defaults=True
        ),
    )


def input_columns(
    config: TableConfig,
    root: Path,
    rows: Rows,
    source: str,
    problems: Problems,
    readings: dict[str, Reading],
    taken: Collection[str] = (),
) -> tuple[dict[str, pd.Series], dict[str, Input]]:
    """Read the inputs that a competition.toml describes: their columns, and what each input is.

    Columns that are `taken` already are refused.
    """
    columns: dict[str, pd.Series] = {}
    inputs = {}
    folder = DatasetFolder(root)
    for name, spec in config.inputs.items():
        new = _input_columns(folder, root, name, spec, rows, config, problems, readings)
        clash = [column for column in new if column in {*taken, *columns, *RESERVED}]
        if clash:
            raise DatasetError(
                f"{source}: inputs.{name} needs the column {clash[0]!r}, but another column "
                "has that name. Rename the input or the column."
            )
        columns |= new
        inputs[name] = Input(name, spec.kind, tuple(new))
    return columns, inputs


def _taken(config: TableConfig, tags: TagSettings) -> frozenset[str]:
    """Return the columns of the tags' own table that a pattern does not stand for."""
    others = [one.required for one in config.tags if one is not tags and one.file == tags.file]
    taken = {config.id, *(column for columns in others for column in columns)}
    if tags.file is None:
        taken |= {*config.input_columns, *(one for one in (config.group, config.split) if one)}
    return frozenset(taken)


def _is_closed(tags: TagSettings, names: tuple[str, ...] | None) -> bool:
    return names is not None or tags.column is None


def _once(columns: list[str]) -> list[str]:
    return list(dict.fromkeys(columns))


def _placed(rows: Rows, positions: np.ndarray) -> Callable[[int], str]:
    return lambda row: rows.place(int(positions[row]))


def _rows(config: TableConfig, tables: list[Table], problems: Problems) -> Rows:
    """Join the tables' rows by ad; rows without an id of their own become errors."""
    cells = tables[0].cells
    if len(tables) > 1:
        cells = pd.concat([table.cells for table in tables], ignore_index=True).fillna("")
    places = np.concatenate(
        [
            np.column_stack([np.full(len(table.lines), number), np.arange(len(table.lines))])
            for number, table in enumerate(tables)
        ]
    )
    is_train, kept = _splits(config, cells, places, tables, problems)
    ids = cells[config.id]
    empty = (ids == "").to_numpy()
    again = ids.duplicated().to_numpy() & ~empty & kept
    for position in np.flatnonzero(empty & kept).tolist():
        table, row = places[position]
        text = f"column {config.id} is empty; give the ad an id."
        problems.error("no id", tables[table].place(row), text)
    first = ids[again | (ids.isin(ids[again]).to_numpy())].drop_duplicates()
    first_of = dict(zip(first, first.index, strict=True))
    for position in np.flatnonzero(again).tolist():
        ad, before = ids.iloc[position], first_of[ids.iloc[position]]
        line = tables[places[before, 0]].lines[places[before, 1]]
        where = tables[places[position, 0]].place(places[position, 1])
        if is_train[before] == is_train[position]:
            text = f"id {ad} stands on line {line} already; keep one of the rows."
            problems.error("duplicate id", where, text, ad)
        else:
            text = f"id {ad} is a training ad too (line {line}); keep it in one split."
            problems.error("id in both splits", where, text, ad)
    kept &= ~empty & ~again
    order = np.concatenate([np.flatnonzero(kept & is_train), np.flatnonzero(kept & ~is_train)])
    if not (kept & is_train).any():
        problems.error("no ads", config.train, "it has no training ad. Add rows.")
    whole = len(order) == len(cells) and (order == np.arange(len(order))).all()
    chosen = cells if whole else cells.iloc[order]
    chosen = chosen.set_axis(pd.Index(ids.iloc[order], name="id", dtype="str"))
    return Rows(chosen, is_train[order], tuple(tables), places[order])


def _splits(
    config: TableConfig,
    cells: pd.DataFrame,
    places: np.ndarray,
    tables: list[Table],
    problems: Problems,
) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows are training ads, and which belong to either split."""
    if config.split is None:
        return places[:, 0] == 0, np.ones(len(cells), dtype=bool)
    words = cells[config.split].str.lower()
    is_train = (words == "train").to_numpy()
    kept = is_train | (words == "test").to_numpy()
    others = cells[config.split][~kept].value_counts()
    for word, count in others.items():
        position = int(np.argmax((cells[config.split] == word).to_numpy()))
        problems.error(
            "unknown split",
            tables[0].place(int(places[position, 1])),
            f"column {config.split} holds {shortened(str(word))!r} in {count:,} row(s). Write "
            "train or test.",
        )
    return is_train, kept


def _note_strangers(ids: pd.Series, rows: Rows, name: str, problems: Problems) -> None:
    strangers = ids[~ids.isin(rows.cells.index)]
    if len(strangers):
        text = (
            f"{len(strangers):,} row(s) are of ads that no table has, such as "
            f"{shortened(strangers.iloc[0])}: they are left out."
        )
        problems.warning("unknown ads", name, text)


def _groups(rows: Rows, column: str, problems: Problems) -> pd.Series:
    if column not in rows.cells.columns:
        rows.cells[column] = ""
    groups = rows.cells[column]
    empty = (groups == "").to_numpy()
    for position in np.flatnonzero(empty & rows.is_train).tolist():
        text = f"column {column} is empty: the ad is a group of its own."
        ad = rows.cells.index[position]
        problems.warning("no group", rows.place(position), text, ad)
    alone = "ad " + rows.cells.index.to_series()
    return groups.where(~empty, alone)


def _input_columns(
    folder: DatasetFolder,
    root: Path,
    name: str,
    spec: InputSettings,
    rows: Rows,
    config: TableConfig,
    problems: Problems,
    readings: dict[str, Reading],
) -> dict[str, pd.Series]:
    """Return the columns of one input: metadata by their own names, else one by the input's."""
    if spec.kind == "metadata":
        return {
            column: metadata_column(
                column,
                rows.cells[column],
                rows.place,
                problems,
                readings,
                spec.types.get(column),
                config.nulls,
            )
            for column in spec.all_columns
        }
    if spec.kind == "text":
        return {name: _texts(name, spec, rows, config, problems)}
    return {name: _paths(folder, root, spec, rows, config, problems)}


def _texts(
    name: str, spec: InputSettings, rows: Rows, config: TableConfig, problems: Problems
) -> pd.Series:
    text: pd.Series | None = None
    for column in spec.all_columns:
        cells = rows.cells[column]
        nulls = is_null(cells, config.nulls) & (cells != "")
        if nulls.any():
            counts = cells[nulls].value_counts()
            shown = ", ".join(f"{count:,} {word!r}" for word, count in counts.head(3).items())
            problems.warning(
                "null words",
                f"column {column}",
                f"{shown} are read as no text. If they are texts, declare null_words = [].",
            )
            cells = cells.where(~nulls, "")
        if text is None:
            text = cells
        else:
            between = ((text != "") & (cells != "")).map({True: "\n", False: ""}).astype("str")
            text = text + between + cells
    assert text is not None  # an input has a column
    for position in np.flatnonzero((text == "").to_numpy()).tolist():
        what = f"{', '.join(spec.all_columns)}: no text for the input {name}."
        problems.warning("empty text", rows.place(position), what, rows.cells.index[position])
    return text.rename(name)


def _paths(
    folder: DatasetFolder,
    root: Path,
    spec: InputSettings,
    rows: Rows,
    config: TableConfig,
    problems: Problems,
) -> pd.Series:
    """Return each ad's paths relative to the dataset's folder; None where there is no file."""
    column = spec.all_columns[0]
    cells = rows.cells[column]
    given = ~is_null(cells, config.nulls).to_numpy()
    values = np.full(len(cells), None, dtype=object)
    urls, absent = [], []
    for position in np.flatnonzero(given).tolist():
        ad, found = cells.index[position], []
        named = folder.files(cells.iloc[position], spec.separator) or [cells.iloc[position]]
        for path in named:
            if is_url(path):
                urls.append(path)
                continue
            fault = folder.path_inside(path, media=True)
            where, shown = rows.place(position), shortened(printable(path), 200)
            if fault is None:
                found.append(path)
            elif fault == "absent":
                absent.append(path)
                what = "the input counts as missing" if len(named) == 1 else "it is left out"
                text = f"column {column}: there is no file {shown}; {what}."
                problems.warning("absent file", where, text, ad)
            else:
                text = f"column {column} = {shown!r} {SENTENCES[fault]}."
                advice = " Copy the file into the folder."
                problems.error(KINDS[fault], where, text + advice, ad)
        if found:
            values[position] = BETWEEN_FILES.join(found)
    if urls:
        text = (
            f"{len(urls):,} cells are URLs, such as {shortened(urls[0])}, and count as missing: "
            "nothing is downloaded. Download the files into the folder, and give their paths."
        )
        problems.warning("URLs", f"column {column}", text)
    if absent and all(value is None for value in values):
        hint = hint_for_absent(root, absent)
        text = f"none of the {len(absent):,} paths is there" + (f"; {hint}." if hint else ".")
        problems.warning("all files absent", f"column {column}", text)
    return pd.Series(values, index=cells.index, name=column, dtype="object")
