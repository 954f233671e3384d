"""Read tables, texts and paths of users, and name every fault with its place."""

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from competition.datasets.problems import Problems

MISSING_WORDS = frozenset({"", "na", "n/a", "nan", "null", "none", "<na>"})
NUMERIC_SHARE = 0.9  # a column with at least this share of numbers is numeric


@dataclass(frozen=True)
class Row:
    """One row of a CSV file: the line that it starts on, and its cells by column."""

    line: int
    cells: dict[str, str]


def read_csv(path: Path, name: str, required: list[str], problems: Problems) -> list[Row]:
    """Read a UTF-8 CSV file with a header; malformed rows become errors and are left out.

    Parameters
    ----------
    path : Path
    name : str
        The file in messages.
    required : list of str
        Columns that the header must have.
    problems : Problems
        Receives the faults.
    """
    if not path.is_file():
        problems.error("absent file", name, "there is no such file. Add it, or correct its name.")
        return []
    text = path.read_bytes().decode("utf-8-sig", errors="surrogateescape")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Row] = []
    try:
        header = next(reader, [])
        absent = [column for column in required if column not in header]
        repeated = sorted({column for column in header if header.count(column) > 1})
        if absent:
            columns = ", ".join(absent)
            has = ", ".join(header) or "none"
            problems.error(
                "malformed table", f"{name}:1", f"no column {columns}; it has: {has}. Add it."
            )
        if repeated:
            columns = ", ".join(repeated)
            problems.error(
                "malformed table", f"{name}:1", f"column {columns} stands twice. Rename one."
            )
        if absent or repeated:
            return []
        line = reader.line_num + 1
        for cells in reader:
            if cells:
                _add_row(rows, header, cells, line, name, problems)
            line = reader.line_num + 1
    except csv.Error as bad:
        problems.error(
            "malformed table",
            f"{name}:{reader.line_num}",
            f"not valid CSV: {bad}. Correct the row.",
        )
    return rows


def _add_row(
    rows: list[Row], header: list[str], cells: list[str], line: int, name: str, problems: Problems
) -> None:
    ad = printable(cells[0])
    if len(cells) != len(header):
        problems.error(
            "malformed table",
            f"{name}:{line}",
            f"{len(cells)} cells where the header has {len(header)}; put cells that hold a comma, "
            "a quote or a line break in double quotes.",
            ad,
        )
        return
    for column, cell in zip(header, cells, strict=True):
        if not is_utf8(cell):
            problems.error(
                "not UTF-8",
                f"{name}:{line}",
                f"column {column} holds bytes that are not UTF-8: {printable(cell)[:60]!r}. "
                "Save the file as UTF-8.",
                ad,
            )
            return
    rows.append(Row(line, dict(zip(header, cells, strict=True))))


def is_utf8(text: str) -> bool:
    """Return whether a text decoded with ``surrogateescape`` was valid UTF-8."""
    return not any("\udc80" <= character <= "\udcff" for character in text)


def printable(text: str) -> str:
    """Replace bytes that were not UTF-8 by question marks."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


def metadata_column(name: str, values: dict[str, tuple[str, str]], problems: Problems) -> pd.Series:
    """Read one column of metadata as numbers or as categories.

    If at least nine in ten filled cells are numbers, the column is float64, and each other cell is
    missing, with a warning. Any other column is a category.

    Parameters
    ----------
    name : str
    values : dict of str to (str, str)
        Cell and place ("train.csv:17") by ad id.
    problems : Problems

    Returns
    -------
    Series indexed by ad id; NA where missing.
    """
    cells = pd.Series({ad: cell.strip() for ad, (cell, _) in values.items()}, dtype=object)
    cells[cells.str.lower().isin(MISSING_WORDS).to_numpy(dtype=bool)] = None
    filled = cells.dropna()
    numbers = pd.to_numeric(filled, errors="coerce")
    numbers = numbers.where(numbers.abs() < math.inf).astype("float64")
    if len(filled) and numbers.notna().mean() < NUMERIC_SHARE:
        return cells.astype("category").rename(name)
    for ad in numbers.index[numbers.isna()]:
        cell, where = values[ad]
        problems.warning(
            "not a number",
            where,
            f"column {name} holds {cell!r}, not a number: read as missing.",
            ad,
        )
    return numbers.reindex(cells.index).astype("float64").rename(name)


def path_inside(root: Path, relative: str) -> Path | None:
    """Return the path of `relative` below `root`, or None where it leaves that folder."""
    if "\0" in relative:
        return None
    path = (root / relative).resolve()
    return path if path.is_relative_to(root.resolve()) else None
