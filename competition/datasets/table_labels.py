"""The tags and labels of tables: from one column or many, open or from a list."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd

from competition.datasets.base import RESERVED, Tag, TagColumns
from competition.datasets.label_doubts import warn_of_column, warn_of_look_alikes
from competition.datasets.labels import CellTags, as_toml, holds_flags, read_flags, read_tags
from competition.datasets.paths import DatasetFolder
from competition.datasets.problems import Problems, shortened
from competition.datasets.table_config import TagSettings
from competition.utils.errors import DatasetError, nearest


@dataclass(frozen=True, eq=False)
class TagSource:
    """One `[[tags]]` and the cells that it is about.

    Attributes
    ----------
    settings : TagSettings
    cells : DataFrame of str
    rows : ndarray of shape (n_cells,), dtype int64
        The training ad of each row, by its position; -1 where it is none.
    place : callable
        From a row of `cells` to its place.
    names : tuple of str or None
        All tags that there are; None where those of the training ads are.
    taken : frozenset of str
        Columns that a pattern does not stand for.
    """

    settings: TagSettings
    cells: pd.DataFrame
    rows: np.ndarray
    place: Callable[[int], str]
    names: tuple[str, ...] | None
    taken: frozenset[str]

    def columns(self) -> tuple[str, ...]:
        """Return the columns; a pattern stands for those that fit and nothing else uses."""
        pattern = self.settings.pattern
        if pattern is None:
            return self.settings.required
        names = [str(name) for name in self.cells.columns]
        return tuple(
            name for name in names if fnmatchcase(name, pattern) and name not in self.taken
        )

    def nulls(self, words: frozenset[str]) -> frozenset[str]:
        """Words for no tag: a word of the list of tags is a tag."""
        return words - {name.lower() for name in self.names or ()}


def tag_list(tags: TagSettings, root: Path, source: str) -> tuple[str, ...] | None:
    """Return the list of tags that `names` gives, or the lines of the file that it names.

    Of a line with a tab what stands before it counts, as in a label_id.txt.
    """
    if tags.names is None:
        return None
    names: Sequence[str] = (tags.names,) if isinstance(tags.names, str) else tags.names
    what = f"{source}: names"
    if isinstance(tags.names, str):
        what = f"{source}: names = {tags.names!r}"
        fault = DatasetFolder(root).path_inside(tags.names)
        if fault is not None:
            raise DatasetError(f"{what}: there is no such file in the folder. Correct the path.")
        try:
            text = (root / tags.names).read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as bad:
            raise DatasetError(f"{what} is not UTF-8 at byte {bad.start}. Save it so.") from None
        names = [line.partition("\t")[0] for line in text.splitlines()]
    names = [name.strip() for name in names if name.strip()]
    twice = [name for name, n in pd.Series(names, dtype="str").value_counts().items() if n > 1]
    if twice or not names:
        fault_text = f"the tag {twice[0]!r} stands twice" if twice else "it names no tag"
        raise DatasetError(f"{what}: {fault_text}. Correct the list.")
    return tuple(names)


def tag_columns(sources: Sequence[TagSource], null_words: frozenset[str]) -> tuple[TagColumns, ...]:
    """Return where a table of the dataset, such as a truth, holds tags."""
    return tuple(
        TagColumns(
            source.columns(),
            source.settings.separator if source.settings.column is not None else None,
            source.nulls(null_words),
        )
        for source in sources
    )


def read_labels(
    sources: Sequence[TagSource],
    n_train: int,
    null_words: frozenset[str],
    train: str,
    problems: Problems,
) -> tuple[tuple[Tag, ...], np.ndarray]:
    """Return the tags, by dimension and name, and the label matrix of the training ads.

    Parameters
    ----------
    sources : sequence of TagSource
    n_train : int
    null_words : frozenset of str
        Cells that mean no tag, in small letters.
    train : str
        The table of the training ads, in messages.
    problems : Problems
    """
    dimension_of: dict[str, str] = {}
    filled: list[Callable[[np.ndarray, dict[str, int]], None]] = []
    flags: dict[str, list[TagSource]] = defaultdict(list)
    for source in sources:
        settings = source.settings
        nulls = source.nulls(null_words)
        if settings.column is not None:
            kept = source.rows >= 0
            read = read_tags(source.cells[settings.column], settings.separator, nulls)
            if source.names is None and holds_flags(read):
                flags[settings.dimension].append(source)
                continue
            warn_of_column(settings.column, read, settings.separator, train, problems)
            found = _found(read, kept)
            if source.names is not None:
                _check_known(read, source, problems)
            names: Sequence[str] = source.names or sorted(found)
            filled.append(_filler(read, source.rows))
        else:
            names = source.columns()
            if not names:
                text = f"no column fits columns = {settings.columns!r}. Correct the pattern."
                problems.error("no tags", train, text)
            of_tag = read_flags(source.cells[list(names)], source.place, nulls, problems)
            filled.append(_flag_filler(names, of_tag, source.rows))
        _check_names(names, settings.dimension, dimension_of, train, problems)
    for dimension, wrong in flags.items():
        columns = [str(source.settings.column) for source in wrong]
        problems.error(
            "columns of 0 and 1",
            train,
            f"column(s) {', '.join(columns)}: every filled cell is 0 or 1 (or true or false, yes "
            "or no), so each is the column of one tag. In place of `column = ...` write one "
            f'[[tags]] with columns = {as_toml(columns)} and dimension = "{dimension}". If these '
            "words are the tags, declare them: names = [...].",
        )
    if n_train and not dimension_of and not flags:
        columns = [str(s.settings.column or s.settings.columns) for s in sources]
        text = f"no training ad carries a tag. Fill the column {columns[0]}."
        problems.error("no tags", train, text)
    tags = tuple(Tag(name, dimension) for name, dimension in dimension_of.items())
    column_of = {tag.name: column for column, tag in enumerate(tags)}
    labels = np.zeros((n_train, len(tags)), dtype=np.uint8)
    for fill in filled:
        fill(labels, column_of)
    positives = labels.sum(axis=0, dtype=int)
    counts = {tag.name: int(n) for tag, n in zip(tags, positives, strict=True)}
    warn_of_look_alikes(counts, train, problems)
    return tags, labels


def _found(read: CellTags, kept: np.ndarray) -> set[str]:
    """Return the tags of training ads; a table of labels may have those of others."""
    used = set(np.unique(read.codes[kept]).tolist())
    return {tag for code, tags in enumerate(read.tags) if code in used for tag in tags}


def _filler(read: CellTags, rows: np.ndarray) -> Callable[[np.ndarray, dict[str, int]], None]:
    return lambda labels, column_of: read.fill(labels, rows, column_of)


def _flag_filler(
    names: Sequence[str], flags: np.ndarray, rows: np.ndarray
) -> Callable[[np.ndarray, dict[str, int]], None]:
    def fill(labels: np.ndarray, column_of: dict[str, int]) -> None:
        for column, name in enumerate(names):
            yes = (rows >= 0) & (flags[:, column] == 1)
            labels[rows[yes], column_of[name]] = 1

    return fill


def _check_known(read: CellTags, source: TagSource, problems: Problems) -> None:
    assert source.names is not None
    for tag in sorted(read.found - set(source.names)):
        row = read.row_of(tag)
        text = f"the tag {shortened(tag)!r} is not in the list of tags."
        hint = nearest(tag, source.names) if len(source.names) <= 200 else ""
        ad = str(source.cells.index[row])
        text = f"{text}{hint} Correct it, or add it to the list."
        problems.error("unknown tag", source.place(row), text, ad)


def _check_names(
    names: Sequence[str],
    dimension: str,
    dimension_of: dict[str, str],
    train: str,
    problems: Problems,
) -> None:
    for name in names:
        if name in RESERVED:
            text = f"a tag cannot be called {name!r}: rename it."
            problems.error("reserved name", train, text)
        if dimension_of.setdefault(name, dimension) != dimension:
            problems.error(
                "tag in two dimensions",
                train,
                f"the tag {name!r} is a {dimension_of[name]} and a {dimension}: rename "
                "one, since a submission names a tag without its dimension.",
            )
