"""Layout `table`: CSV files described by a competition.toml that lies beside them."""

from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from competition.datasets.base import (
    AdDataset,
    Input,
    InputKind,
    SubmissionFormat,
    SubmissionSpec,
    Tag,
)
from competition.datasets.problems import Problems
from competition.datasets.reading import Row, metadata_column, path_inside, printable, read_csv
from competition.utils.errors import DatasetError
from competition.utils.settings import Settings, parse_settings, read_toml

CONFIG = "competition.toml"
RESERVED = ("id", "fold", "split", "group")  # columns of the ads and of stored predictions


class TagColumn(Settings):
    column: str
    dimension: str
    separator: str = Field(default="|", min_length=1)


class InputColumns(Settings):
    kind: InputKind
    column: str | None = None
    columns: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _names_columns(self) -> Self:
        if (self.column is None) == (not self.columns):
            raise ValueError("an input needs either column or columns")
        if self.column is None and self.kind not in ("text", "metadata"):
            raise ValueError(f"an input of kind {self.kind} has one column, a path")
        return self

    @property
    def all_columns(self) -> tuple[str, ...]:
        return self.columns if self.column is None else (self.column,)


class SubmissionSettings(Settings):
    format: SubmissionFormat = "wide"
    top_k: int = Field(default=20, ge=1)


class TableConfig(Settings):
    """A competition.toml."""

    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    train: str
    test: str | None = None
    id: str = "id"
    group: str | None = None
    tags: tuple[TagColumn, ...] = Field(min_length=1)
    inputs: dict[str, InputColumns] = Field(default_factory=dict)
    submission: SubmissionSettings = SubmissionSettings()


def read_config(root: Path) -> TableConfig:
    """Read `root`/competition.toml; raise DatasetError naming every unknown key."""
    path = root / CONFIG
    return parse_settings(TableConfig, read_toml(path, DatasetError), str(path), DatasetError)


def read(root: Path, problems: Problems) -> AdDataset:
    """Read a folder of this layout; what is wrong with its rows goes to `problems`."""
    config = read_config(root)
    rows = _rows(root, config, problems)
    split = {ad: name for ad, (name, _) in rows.items()}
    ads = pd.DataFrame(
        {"split": pd.Series(split, dtype="str")}, index=pd.Index(list(rows), name="id")
    )
    if config.group is not None:
        ads["group"] = _groups(rows, config, problems)
    inputs = {}
    for name, spec in config.inputs.items():
        columns = _input_columns(root, name, spec, rows, config, problems)
        clash = [column for column in columns if column in {*ads.columns, *RESERVED}]
        if clash:
            raise DatasetError(
                f"{root / CONFIG}: inputs.{name} needs the column {clash[0]!r}, but that name is "
                "taken. Rename the input or the column."
            )
        ads = pd.concat([ads, pd.DataFrame(columns, index=ads.index)], axis=1)
        inputs[name] = Input(name, spec.kind, tuple(columns))
    tags, labels = _labels(rows, config, problems)
    return AdDataset(
        name=config.name,
        root=root,
        ads=ads,
        tags=tags,
        labels=labels,
        inputs=inputs,
        submission=SubmissionSpec(config.submission.format, config.submission.top_k),
        tag_columns=tuple(tags.column for tags in config.tags),
    )


def _rows(root: Path, config: TableConfig, problems: Problems) -> dict[str, tuple[str, Row]]:
    """Rows by ad id, training ads first; a cell that no file has is empty."""
    columns = [column for spec in config.inputs.values() for column in spec.all_columns]
    needed = {
        "train": [config.id, *columns, *(tags.column for tags in config.tags)],
        "test": [config.id, *columns],
    }
    if config.group is not None:
        needed["train"].append(config.group)
    rows: dict[str, tuple[str, Row]] = {}
    for split, file in (("train", config.train), ("test", config.test)):
        if file is None:
            continue
        path = path_inside(root, file)
        if path is None:
            raise DatasetError(f"{root / CONFIG}: {split} = {file!r} leaves the dataset's folder.")
        for row in read_csv(path, file, needed[split], problems):
            ad = row.cells[config.id].strip()
            where = f"{file}:{row.line}"
            if not ad:
                problems.error("no id", where, f"column {config.id} is empty; give the ad an id.")
            elif ad in rows:
                other, first = rows[ad]
                if other == split:
                    text = f"id {ad} stands on line {first.line} already; keep one of the rows."
                    problems.error("duplicate id", where, text, ad)
                else:
                    text = (
                        f"id {ad} is a training ad too (line {first.line}); keep it in one split."
                    )
                    problems.error("id in both splits", where, text, ad)
            else:
                rows[ad] = (split, row)
    if not any(split == "train" for split, _ in rows.values()):
        problems.error("no ads", config.train, "there is no training ad.")
    return rows


def _groups(
    rows: dict[str, tuple[str, Row]], config: TableConfig, problems: Problems
) -> list[str | None]:
    groups: list[str | None] = []
    for ad, (split, row) in rows.items():
        group = row.cells.get(str(config.group), "").strip()
        if not group and split == "train":
            text = f"column {config.group} is empty: the ad becomes a group of its own."
            problems.warning("no group", f"{config.train}:{row.line}", text, ad)
        groups.append(group or f"ad {ad}")
    return groups


def _input_columns(
    root: Path,
    name: str,
    spec: InputColumns,
    rows: dict[str, tuple[str, Row]],
    config: TableConfig,
    problems: Problems,
) -> dict[str, pd.Series]:
    """Columns of one input: metadata by their own names, anything else under the input's name."""
    places = {
        ad: f"{config.train if split == 'train' else config.test}:{row.line}"
        for ad, (split, row) in rows.items()
    }
    if spec.kind == "metadata":
        return {
            column: metadata_column(
                column,
                {ad: (row.cells[column], places[ad]) for ad, (_, row) in rows.items()},
                problems,
            )
            for column in spec.all_columns
        }
    values: dict[str, str | None] = {}
    for ad, (_, row) in rows.items():
        cells = [row.cells[column].strip() for column in spec.all_columns]
        if spec.kind == "text":
            values[ad] = "\n".join(cell for cell in cells if cell)
            if not values[ad]:
                text = f"{', '.join(spec.all_columns)}: no text for the input {name}."
                problems.warning("empty text", places[ad], text, ad)
        else:
            values[ad] = _file(root, cells[0], spec.all_columns[0], places[ad], ad, problems)
    return {name: pd.Series(values, dtype="str" if spec.kind == "text" else "object")}


def _file(
    root: Path, cell: str, column: str, place: str, ad: str, problems: Problems
) -> str | None:
    """Path of an ad's file relative to the dataset's folder, None where there is none."""
    if not cell:
        return None
    path = path_inside(root, cell)
    if path is None:
        text = f"column {column} = {printable(cell)!r} leaves the dataset's folder."
        problems.error("path outside", place, text + " Copy the file into it.", ad)
        return None
    if not path.is_file():
        text = f"column {column}: there is no file {cell}: the input counts as missing."
        problems.warning("absent file", place, text, ad)
        return None
    return cell


def _labels(
    rows: dict[str, tuple[str, Row]], config: TableConfig, problems: Problems
) -> tuple[tuple[Tag, ...], np.ndarray]:
    """Tags (by dimension, then by name) and the label matrix of the training ads."""
    train = {ad: row for ad, (split, row) in rows.items() if split == "train"}
    of_ad: dict[str, set[str]] = {ad: set() for ad in train}
    dimension_of: dict[str, str] = {}
    for spec in config.tags:
        found: set[str] = set()
        for ad, row in train.items():
            names = {name.strip() for name in row.cells[spec.column].split(spec.separator)}
            names.discard("")
            found |= names
            of_ad[ad] |= names
        for name in sorted(found & set(RESERVED)):
            text = f"a tag cannot be called {name!r}: rename it."
            problems.error("reserved name", config.train, text)
        for name in sorted(found):
            if dimension_of.setdefault(name, spec.dimension) != spec.dimension:
                problems.error(
                    "tag in two dimensions",
                    config.train,
                    f"the tag {name!r} is a {dimension_of[name]} and a {spec.dimension}: rename "
                    "one, since a submission names a tag without its dimension.",
                )
    if train and not dimension_of:
        problems.error("no tags", config.train, "no training ad carries a tag.")
    for ad, names in of_ad.items():
        if not names:
            problems.warning("no tag", f"{config.train}:{train[ad].line}", "has no tag.", ad)
    tags = tuple(Tag(name, dimension) for name, dimension in dimension_of.items())
    column_of = {tag.name: column for column, tag in enumerate(tags)}
    labels = np.zeros((len(train), len(tags)), dtype=np.uint8)
    for row_number, names in enumerate(of_ad.values()):
        labels[row_number, [column_of[name] for name in names]] = 1
    return tags, labels
