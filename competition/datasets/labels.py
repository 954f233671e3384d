"""Tags in the cells of a table: split, taken from lists, or one column per tag."""

import ast
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from competition.datasets.problems import Problems, shortened

YES = frozenset({"1", "1.0", "true", "yes", "t", "y"})
NO = frozenset({"0", "0.0", "false", "no", "f", "n", ""})
FLAGS = frozenset({"0", "1", "0.0", "1.0", "true", "false", "yes", "no"})  # no names of tags
LETTERS = frozenset("TF"), frozenset("YN")  # flags too; small ones may be names
SEPARATORS = ("|", ",", ";", "/", "\t", "，", "、", "；", "｜")
DOUBTFUL = frozenset({"-", "--", "?", "unknown", "missing", "n.a.", "未知"})

_ITEM = re.compile(
    r"""\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^\s,'"\[\](){}][^,'"\[\](){}]*))\s*"""
)
_BRACKETS = {"[": "]", "(": ")", "{": "}"}


@dataclass(frozen=True, eq=False)
class CellTags:
    """The tags of the cells of one column, each distinct cell read once.

    Attributes
    ----------
    cells : list of str
        The distinct cells.
    codes : ndarray of shape (n_rows,), dtype int64
        Which of `cells` each row has.
    tags : list of tuple of str
        The tags of each distinct cell, each once, in the order of the cell.
    n_lists : int
        Distinct cells that are written as lists.
    nulls : Counter
        How many rows have each null word.
    """

    cells: list[str]
    codes: np.ndarray
    tags: list[tuple[str, ...]]
    n_lists: int
    nulls: Counter[str]

    @cached_property
    def found(self) -> set[str]:
        """All tags."""
        return {tag for tags in self.tags for tag in tags}

    def row_of(self, tag: str) -> int:
        """Return the first row that has a tag."""
        code = next(i for i, tags in enumerate(self.tags) if tag in tags)
        return int(np.argmax(self.codes == code))

    def fill(self, labels: np.ndarray, rows: np.ndarray, column_of: dict[str, int]) -> None:
        """Set 1 in `labels`, whose row of each row of the table is in `rows`; -1 is left out."""
        known = [[column_of[tag] for tag in tags if tag in column_of] for tags in self.tags]
        lengths = np.array([len(columns) for columns in known], dtype=np.int64)
        flat = np.array([column for columns in known for column in columns], dtype=np.int64)
        codes, rows = self.codes[rows >= 0], rows[rows >= 0]
        n = lengths[codes]
        first = (np.cumsum(lengths) - lengths)[codes]
        within = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
        labels[np.repeat(rows, n), flat[np.repeat(first, n) + within]] = 1


def read_tags(cells: pd.Series, separator: str, null_words: Collection[str]) -> CellTags:
    """Read the tags of every cell of a column.

    A cell such as ``['a', 'b']`` or ``["a"]`` is a list where most filled cells are.

    Parameters
    ----------
    cells : Series of str
    separator : str
    null_words : collection of str
        In small letters.
    """
    codes, distinct = pd.factorize(cells)
    texts = [str(cell) for cell in distinct]
    lists = [list_of(text) for text in texts]
    n_lists = sum(one is not None for one in lists)
    are_lists = 2 * n_lists > sum(bool(text) for text in texts)
    counts = np.bincount(codes, minlength=len(texts))
    split = [
        one if one is not None and are_lists else text.split(separator)
        for text, one in zip(texts, lists, strict=True)
    ]
    name_of = {part: part.strip() for parts in split for part in parts}
    null = {part for part, name in name_of.items() if name and name.lower() in null_words}
    nulls: Counter[str] = Counter()
    tags = []
    for parts, count in zip(split, counts, strict=True):
        for part in parts if null else ():
            if part in null:
                nulls[name_of[part]] += int(count)
        named = [name_of[part] for part in parts if part not in null]
        tags.append(tuple(dict.fromkeys(filter(None, named))))
    return CellTags(texts, codes, tags, n_lists if are_lists else 0, nulls)


def list_of(text: str) -> list[str] | None:
    """Return the items of a list as Python, numpy or JSON write it; None where it is none."""
    if len(text) < 2 or _BRACKETS.get(text[0]) != text[-1]:
        return None
    if text.startswith("[{"):
        return _names_of_objects(text)
    if text[0] == "[":
        try:
            items = json.loads(text)
        except (ValueError, RecursionError):
            pass
        else:
            return _items(items)
    inner, items, at = text[1:-1], [], 0
    last = len(inner.rstrip())
    while at < last:
        match = _ITEM.match(inner, at)
        if match is None:
            return None
        quoted = match.group(1) if match.group(1) is not None else match.group(2)
        bare = match.group(3)
        items.append(bare.strip() if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        at = match.end()
        if inner[at : at + 1] == ",":
            at += 1
        elif quoted is None and at < last:
            return None
    return items


def _items(values: list[Any]) -> list[str] | None:
    """Return the texts of a JSON list: of null none, of a list in it its own; None for objects."""
    found: list[str] = []
    for value in values:
        if isinstance(value, list):
            inner = _items(value)
            if inner is None:
                return None
            found += inner
        elif isinstance(value, str | int | float):
            found.append(str(value))
        elif value is not None:
            return None
    return found


def read_flags(
    cells: pd.DataFrame,
    place: Callable[[int], str],
    null_words: Collection[str],
    problems: Problems,
) -> np.ndarray:
    """Read one column per tag: 1 and true mean yes; 0, false, nothing and null words mean no.

    Returns
    -------
    ndarray of shape (n_rows, n_columns), dtype uint8
    """
    flags = np.zeros(cells.shape, dtype=np.uint8)
    yes = pa.array(sorted(YES), type=pa.large_string())
    known = pa.array(sorted(YES | NO | {*null_words}), type=pa.large_string())
    for column, name in enumerate(cells.columns):
        # By Arrow, since what Pandas does for each column costs more than the cells do.
        words = pc.utf8_lower(pa.array(cells[name], type=pa.large_string()))
        flags[:, column] = pc.is_in(words, value_set=yes)
        wrong = ~np.asarray(pc.is_in(words, value_set=known))
        for row in np.flatnonzero(wrong).tolist():
            text = f"column {name} holds {shortened(cells[name].iloc[row])!r}: write 1 or 0."
            problems.error("no yes or no", place(row), text, str(cells.index[row]))
    return flags


def holds_flags(read: CellTags) -> bool:
    """Return whether a column of tags is in truth a column for one tag, with 0 and 1.

    What may stand for an unknown value, as a question mark does, decides nothing.
    """
    found = {tag for tag in read.found if tag.lower() not in DOUBTFUL}
    return bool(found) and (
        {tag.lower() for tag in found} <= FLAGS or any(found <= pair for pair in LETTERS)
    )


def as_toml(words: Sequence[str]) -> str:
    """Return words as a list in TOML."""
    return json.dumps(list(words), ensure_ascii=False)


def _names_of_objects(text: str) -> list[str] | None:
    """Return what objects such as ``{'id': 18, 'name': 'Drama'}`` are called; None without a name.

    JSON writes them so, and Python: TMDB's tables have the latter.
    """
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        try:
            items = ast.literal_eval(text)  # takes literals alone, and calls nothing
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            return None
    found = [item.get("name") if isinstance(item, dict) else None for item in items]
    names = [name for name in found if isinstance(name, str)]
    return names if len(names) == len(found) else None
