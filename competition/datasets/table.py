"""Layout `table`: CSV files and a competition.toml that describes them."""

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
from competition.datasets.description import NAME
from competition.datasets.problems import Problems
from competition.datasets.reading import Row, metadata_column, path_inside, printable, read_csv
from competition.utils.errors import DatasetError
from competition.utils.settings import Settings, parse_settings, read_toml

CONFIG = "competition.toml"
RESERVED = ("id", "fold", "split", "group")  # of the ads and of stored predictions


class TagColumn(Settings):
    """A column of tags: `[[tags]]`."""

    column: str
    dimension: str
    separator: str = Field(default="|", min_length=1)


class InputColumns(Settings):
    """The columns of one input: `[inputs.<name>]`."""

    kind: InputKind
    column: str | None = None
    columns: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _names_columns(self) -> Self:
        if (self.column is None) == (not self.columns):
            raise ValueError("an input needs either column or columns")
        if self.column is None and self.kind not in ("text", "metadata"):
            raise ValueError(
                f"an input of kind {self.kind} needs column, the one that holds its paths"
            )
        return self

    @property
    def all_columns(self) -> tuple[str, ...]:
        return self.columns if self.column is None else (self.column,)


class SubmissionSettings(Settings):
    """The form of a submission: `[submission]`."""

    format: SubmissionFormat = "wide"
    top_k: int = Field(default=20, ge=1)


class TableConfig(Settings):
    """A competition.toml."""

    name: str = Field(pattern=NAME)
    train: str
    test: str | None = None
    id: str = "id"
    group: str | None = None
    tags: tuple[TagColumn, ...] = Field(min_length=1)
    inputs: dict[str, InputColumns] = Field(default_factory=dict)
    submission: SubmissionSettings = SubmissionSettings()


def read_config(root: Path) -> TableConfig:
    """Read `root`/competition.toml; a mistake raises a DatasetError that names it."""
    path = root / CONFIG
    return parse_settings(TableConfig, read_toml(path, DatasetError), str(path), DatasetError)


def read(root: Path, problems: Problems) -> AdDataset:
    """Read a folder of this layout; add the faults of its rows to `problems`."""
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
                f"{root / CONFIG}: inputs.{name} needs the column {clash[0]!r}, but another column "
                "has that name. Rename the input or the column."
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
    """Return the rows by ad id, training ads first, each with its split."""
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
            raise DatasetError(
                f"{root / CONFIG}: {split} = {file!r} leaves the dataset's folder. Copy the file "
                "into it."
            )
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
        problems.error("no ads", config.train, "it has no training ad. Add rows.")
    return rows


def _groups(
    rows: dict[str, tuple[str, Row]], config: TableConfig, problems: Problems
) -> list[str | None]:
    groups: list[str | None] = []
    for ad, (split, row) in rows.items():
        group = row.cells.get(str(config.group), "").strip()
        if not group and split == "train":
            text = f"column {config.group} is empty: the ad is a group of its own."
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
    """Return the columns of one input: metadata by their own names, else one by the input's."""
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
    """Return an ad's path relative to the dataset's folder; None where there is no file."""
    if not cell:
        return None
    path = path_inside(root, cell)
    if path is None:
        text = f"column {column} = {printable(cell)!r} leaves the dataset's folder."
        problems.error("path outside", place, text + " Copy the file into it.", ad)
        return None
    if not path.is_file():
        text = f"column {column}: there is no file {cell}; the input counts as missing."
        problems.warning("absent file", place, text, ad)
        return None
    return cell


def _labels(
    rows: dict[str, tuple[str, Row]], config: TableConfig, problems: Problems
) -> tuple[tuple[Tag, ...], np.ndarray]:
    """Return the tags, by dimension and name, and the label matrix of the training ads."""
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
        text = f"no training ad carries a tag. Fill the column {config.tags[0].column}."
        problems.error("no tags", config.train, text)
    for ad, names in of_ad.items():
        if not names:
            problems.warning("no tag", f"{config.train}:{train[ad].line}", "the ad has no tag.", ad)
    tags = tuple(Tag(name, dimension) for name, dimension in dimension_of.items())
    column_of = {tag.name: column for column, tag in enumerate(tags)}
    labels = np.zeros((len(train), len(tags)), dtype=np.uint8)
    for row_number, names in enumerate(of_ad.values()):
        labels[row_number, [column_of[name] for name in names]] = 1
    return tags, labels
