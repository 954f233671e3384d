"""What a competition.toml may say of the tables beside it."""

from pathlib import Path
from typing import Self, get_args

from pydantic import Field, field_validator, model_validator

from competition.datasets.base import InputKind, SubmissionFormat
from competition.datasets.description import NAME
from competition.datasets.encodings import known_encoding
from competition.datasets.metadata import NULL_WORDS, ValueType
from competition.utils.errors import DatasetError
from competition.utils.settings import Settings, parse_settings, read_toml

CONFIG = "competition.toml"


def _check_once(columns: tuple[str, ...]) -> None:
    twice = [name for name in columns if columns.count(name) > 1]
    if twice:
        raise ValueError(f"columns names {twice[0]!r} twice")


class TagSettings(Settings):
    """Where tags are: `[[tags]]`.

    Attributes
    ----------
    column : str or None
        A column of tags with `separator` between them, or of lists.
    columns : tuple of str, str or None
        In place of `column`: one column per tag, headed by it, with 1 or 0; by name or by a pattern
        such as ``genre_*``.
    dimension : str
    separator : str
    names : tuple of str, str or None
        All tags that there are, or a file with one on each line. Without it they are those of the
        training ads.
    file : str or None
        A table of their own, joined by the ids; an id may have several rows.
    """

    column: str | None = None
    columns: tuple[str, ...] | str | None = None
    dimension: str
    separator: str = Field(default="|", min_length=1)
    names: tuple[str, ...] | str | None = None
    file: str | None = None

    @model_validator(mode="after")
    def _names_columns(self) -> Self:
        if (self.column is None) == (not self.columns):
            raise ValueError(
                "tags need either column, a column of tags, or columns, one column per tag"
            )
        if self.names is not None and self.column is None:
            raise ValueError("names does not go with columns, which name the tags already")
        _check_once(self.required)
        return self

    @property
    def required(self) -> tuple[str, ...]:
        """Columns that the table must have."""
        if self.column is not None:
            return (self.column,)
        return self.columns if isinstance(self.columns, tuple) else ()

    @property
    def pattern(self) -> str | None:
        return self.columns if isinstance(self.columns, str) else None


class InputSettings(Settings):
    """The columns of one input: `[inputs.<name>]`.

    Attributes
    ----------
    kind : str
    column, columns
        One of the two; several columns for texts and metadata alone.
    separator : str or None
        Stands between the paths of a cell where an ad has several files. A list of paths, or the
        path of a folder of files, needs none.
    types : dict of str to {"number", "category", "date"}
        What columns of metadata hold, where the cells would show otherwise.
    """

    kind: InputKind
    column: str | None = None
    columns: tuple[str, ...] = ()
    separator: str | None = Field(default=None, min_length=1)
    types: dict[str, ValueType] = Field(default_factory=dict)

    @field_validator("types", mode="before")
    @classmethod
    def _knows_types(cls, value: object) -> object:
        words = value.values() if isinstance(value, dict) else ()
        wrong = [word for word in words if word not in get_args(ValueType)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no type; write number, category or date")
        return value

    @model_validator(mode="after")
    def _names_columns(self) -> Self:
        if (self.column is None) == (not self.columns):
            raise ValueError("an input needs either column or columns")
        if self.column is None and self.kind not in ("text", "metadata"):
            raise ValueError(
                f"an input of kind {self.kind} needs column, the one that holds its paths"
            )
        if self.separator is not None and self.kind in ("text", "metadata"):
            raise ValueError("separator stands between paths of files: leave it out")
        unknown = sorted(set(self.types) - set(self.all_columns))
        if self.types and self.kind != "metadata":
            raise ValueError("types are declared of metadata alone")
        if unknown:
            raise ValueError(f"types names {unknown[0]!r}, which is none of its columns")
        _check_once(self.columns)
        return self

    @property
    def all_columns(self) -> tuple[str, ...]:
        return self.columns if self.column is None else (self.column,)


class SubmissionSettings(Settings):
    """The form of a submission: `[submission]`."""

    format: SubmissionFormat = "wide"
    top_k: int = Field(default=20, ge=1)


class TableConfig(Settings):
    """A competition.toml.

    Attributes
    ----------
    name : str
    train, test : str or None
        Tables of ads.
    split : str or None
        In place of `test`: a column of `train` that says ``train`` or ``test`` of each ad.
    id, group : str
        Columns.
    encoding, delimiter : str or None
        Of the tables, where they do not show it themselves.
    null_words : tuple of str or None
        Cells that stand for nothing, in place of NULL_WORDS.
    tags, inputs, submission
    """

    name: str = Field(pattern=NAME)
    train: str = "train"
    test: str | None = None
    split: str | None = None
    id: str = "id"
    group: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    null_words: tuple[str, ...] | None = None
    tags: tuple[TagSettings, ...] = Field(min_length=1)
    inputs: dict[str, InputSettings] = Field(default_factory=dict)
    submission: SubmissionSettings = SubmissionSettings()

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        if value is not None and not known_encoding(value):
            raise ValueError('no such encoding; known are "utf-8", "gbk", "cp1252", "utf-16", ...')
        return value

    @field_validator("delimiter")
    @classmethod
    def _can_separate(cls, value: str | None) -> str | None:
        if value is not None and len(value) != 1:
            raise ValueError('one character separates cells, such as "," or ";"')
        if value in ('"', "\r", "\n"):
            raise ValueError('a quote or a line break cannot separate cells; give "," or ";"')
        return value

    @model_validator(mode="after")
    def _has_one_split(self) -> Self:
        if self.split is not None and self.test is not None:
            raise ValueError("test ads come from test or from the column split, not from both")
        return self

    @property
    def nulls(self) -> frozenset[str]:
        """Words for nothing, in small letters."""
        if self.null_words is None:
            return NULL_WORDS
        return frozenset(word.strip().lower() for word in self.null_words)

    @property
    def input_columns(self) -> list[str]:
        return [column for spec in self.inputs.values() for column in spec.all_columns]


def read_config(root: Path) -> TableConfig:
    """Read `root`/competition.toml; a mistake raises a DatasetError that names it."""
    path = root / CONFIG
    data = read_toml(path, DatasetError)
    if "train" not in data:
        raise DatasetError(f"{path}: train is missing. Name the table of the training ads.")
    return parse_settings(TableConfig, data, str(path), DatasetError)
