"""A table as text, and how its rows are collected whatever file they come from."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from competition.datasets.problems import Problems, shortened

_ROWS_AT_ONCE = 20_000
_SHOWN = 20  # columns that a message lists


@dataclass(frozen=True, eq=False)
class Table:
    """A table as text.

    Attributes
    ----------
    name : str
        The file in messages.
    cells : DataFrame of str
        Without white space around them; empty where nothing is there.
    lines : ndarray of shape (n_rows,), dtype int64
        Where each row starts: a line of a text, a row of a sheet.
    unit : str
        What stands before the number in a place.
    """

    name: str
    cells: pd.DataFrame
    lines: np.ndarray
    unit: str = ":"

    def place(self, row: int) -> str:
        return f"{self.name}{self.unit}{self.lines[row]}"


class TableBuilder:
    """Collects the rows of a table, of which only some columns are kept.

    Parameters
    ----------
    name : str
    required : sequence of str
        Columns that the header must have.
    others : sequence of str or None
        Patterns of further columns to keep; None keeps all.
    problems : Problems
    unit : str
    commas : collection of str
        Columns whose numbers are written with decimal commas.
    """

    def __init__(
        self,
        name: str,
        required: Sequence[str],
        others: Sequence[str] | None,
        problems: Problems,
        unit: str = ":",
        commas: Collection[str] = (),
    ) -> None:
        self.commas = commas
        self._name, self.required, self._others = name, required, others
        self._problems, self._unit = problems, unit
        self._places: list[tuple[int, str]] = []
        self._unnamed: list[int] = []
        self._filled: set[int] = set()
        self._rows: list[Sequence[str]] = []
        self._lines: list[int] = []
        self._chunks: list[list[pa.Array]] = []

    def header(self, cells: Sequence[str], line: int) -> bool:
        """Take the header; return False, with an error, where it lacks or repeats a column."""
        names = [cell.strip() for cell in cells]
        counts = Counter(names)
        absent = [column for column in self.required if column not in counts]
        repeated = sorted(name for name, count in counts.items() if count > 1 and name)
        where = f"{self._name}{self._unit}{line}"
        if absent:
            known = [shortened(printable(name)) for name in names if name]
            has = ", ".join(known[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "") or "none"
            text = f"no column {', '.join(absent)}; it has: {has}. Add it."
            self._problems.error("malformed table", where, text)
        if repeated:
            text = f"column {', '.join(repeated[:_SHOWN])} stands twice. Rename one."
            self._problems.error("malformed table", where, text)
        required = set(self.required)
        for column, name in enumerate(names):
            if not name:
                self._unnamed.append(column)
            elif name in required or self._others is None or _fits(name, self._others):
                self._places.append((column, name))
        return not absent and not repeated

    def row(self, cells: Sequence[str], line: int) -> None:
        self._rows.append(cells)
        self._lines.append(line)
        if len(self._rows) == _ROWS_AT_ONCE:
            self._pack()

    def _pack(self) -> None:
        columns = list(zip(*self._rows, strict=True))
        self._rows = []
        if not columns:
            return
        self._chunks.append([_trimmed(columns[column]) for column, _ in self._places])
        self._filled.update(c for c in self._unnamed if any(cell.strip() for cell in columns[c]))

    def table(self) -> Table:
        """Return the table; a nameless column that is filled is left out with a warning."""
        self._pack()
        for column in sorted(self._filled):
            text = f"column {column + 1} has no name: it is not read. Give it one, or remove it."
            self._problems.warning("nameless column", self._name, text)
        columns = {
            name: pa.chunked_array([chunk[i] for chunk in self._chunks], type=pa.large_string())
            for i, (_, name) in enumerate(self._places)
        }
        return table_of(self._name, columns, np.array(self._lines, dtype=np.int64), self._unit)


def table_of(
    name: str, columns: dict[str, pa.ChunkedArray], lines: np.ndarray, unit: str = ":"
) -> Table:
    """Return a table of Arrow columns of text."""
    cells = pa.table(columns).to_pandas()  # at once: a Series for each column takes far longer
    return Table(name, pd.DataFrame(cells, index=pd.RangeIndex(len(lines))), lines, unit)


def printable(text: str) -> str:
    """Replace bytes that were not UTF-8 by question marks."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _trimmed(cells: Sequence[str]) -> pa.Array:
    return pc.utf8_trim_whitespace(pa.array(cells, type=pa.large_string()))


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
