"""Tags in the cells of a table: split, taken from lists, or one column per tag."""

import ast
import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from competition.datasets.problems import Problems, shortened
from competition.text.words import visible
from competition.utils.errors import some

YES = frozenset({"1", "1.0", "true", "yes"})
NO = frozenset({"0", "0.0", "false", "no", ""})
FLAGS = frozenset({"0", "1", "0.0", "1.0", "true", "false"})  # no names of tags
SEPARATORS = ("|", ",", ";", "/", "\t", "，", "、", "；")
DOUBTFUL = frozenset({"-", "--", "?", "unknown", "missing", "n.a.", "未知"})
_SHOWN = 3

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

    @property
    def found(self) -> set[str]:
        return set().union(*self.tags)

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
    nulls: Counter[str] = Counter()
    tags = []
    for text, one, count in zip(texts, lists, counts, strict=True):
        parts = one if one is not None and are_lists else text.split(separator)
        names = [part.strip() for part in parts]
        for name in names:
            if name and name.lower() in null_words:
                nulls[name] += int(count)
        tags.append(tuple(dict.fromkeys(n for n in names if n and n.lower() not in null_words)))
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
            flat = all(isinstance(item, str | int | float) for item in items)
            return [str(item) for item in items] if flat else None
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
    """Return whether a column of tags is in truth a column for one tag, with 0 and 1."""
    found = {tag.lower() for tag in read.found}
    return bool(found) and found <= FLAGS


def warn_of_column(
    name: str, read: CellTags, separator: str, where: str, problems: Problems
) -> None:
    """Warn of a column that may be meant otherwise than it is read."""
    what = f"column {name}"
    if read.n_lists:
        example = next(cell for cell in read.cells if list_of(cell) is not None)
        problems.warning(
            "lists of tags",
            where,
            f"{what}: the cells are lists such as {shortened(example)}: their items are the tags, "
            "and the separator is not used.",
        )
    elif any(tag.startswith("[") and tag.endswith("]") for tag in read.found):
        tag = min(tag for tag in read.found if tag.startswith("["))
        problems.warning("lists of tags", where, f"{what}: the tag {tag!r} looks like a list.")
    if read.nulls:
        problems.warning(
            "null words",
            where,
            f"{what}: {_counted(read.nulls)} stand for no tag. If they are tags, declare "
            "null_words = [].",
        )
    doubtful = sorted(tag for tag in read.found if tag.lower() in DOUBTFUL)
    if doubtful:
        problems.warning(
            "null words",
            where,
            f"{what}: {some(map(repr, doubtful))} are read as tags. If they mean that there is "
            f"none, declare null_words = {json.dumps(doubtful, ensure_ascii=False)}.",
        )
    if not read.n_lists:
        _warn_of_separator(what, read, separator, where, problems)


def _warn_of_separator(
    what: str, read: CellTags, separator: str, where: str, problems: Problems
) -> None:
    """Warn of tags that another character joins: their pieces are tags elsewhere."""
    found = read.found
    used = any(separator in cell for cell in read.cells)
    for other in SEPARATORS:
        joined = {
            tag: [piece.strip() for piece in tag.split(other)] for tag in found if other in tag
        }
        pieces = {piece for parts in joined.values() for piece in parts if piece}
        fused = [tag for tag, parts in joined.items() if all(part in found for part in parts)]
        shared = not used and len(joined) > 1 and len(pieces) < len(joined) + 1
        if other == separator or not (fused or shared):
            continue
        codes = [code for code, cell in enumerate(read.cells) if other in cell]
        count = int(np.isin(read.codes, codes).sum())
        none = "" if used else f"no cell holds the separator {separator!r}, but "
        problems.warning(
            "fused tags",
            where,
            f"{what}: {none}{count:,} cells hold {other!r}, such as "
            f"{shortened(min(fused or joined))!r}: tags may be fused. Declare separator = "
            f"{json.dumps(other, ensure_ascii=False)}.",
        )


def warn_of_look_alikes(counts: dict[str, int], where: str, problems: Problems) -> None:
    """Warn of tags that differ by case, width, white space or invisible characters alone."""
    alike: dict[str, list[str]] = defaultdict(list)
    for tag in counts:
        alike[_looks(tag)].append(tag)
    for tags in alike.values():
        if len(tags) > 1:
            listed = ", ".join(f"{ascii_if_hidden(tag)} ({counts[tag]:,})" for tag in sorted(tags))
            problems.warning(
                "tags that look alike",
                where,
                f"{listed} count as {len(tags)} tags, and differ by capitals, width, white space "
                "or invisible characters alone. Write them alike if they are one tag.",
            )


def ascii_if_hidden(tag: str) -> str:
    """Return a tag in quotes, escaped where it holds what cannot be seen."""
    hidden = any(unicodedata.category(character) in ("Cf", "Cc", "Zs") for character in tag)
    return ascii(tag) if hidden and not tag.isprintable() else repr(tag)


def _looks(tag: str) -> str:
    text = unicodedata.normalize("NFKC", tag).casefold()
    shown = "".join(c for c in visible(text) if unicodedata.category(c) != "Cc" or c.isspace())
    return " ".join(shown.split())


def _counted(words: Counter[str]) -> str:
    return ", ".join(f"{count:,} {word!r}" for word, count in words.most_common(_SHOWN))


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
