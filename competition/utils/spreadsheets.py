"""CSV files: their rows, and cells that a spreadsheet would take for formulas."""

import csv
from collections.abc import Iterable
from typing import Any, TextIO

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # begin what a spreadsheet would run


def as_text(cell: str) -> str:
    """Return a cell that a spreadsheet shows as it is: an apostrophe comes before a formula."""
    return f"'{cell}" if cell.lstrip("'").startswith(FORMULA) else cell


def from_text(cell: str) -> str:
    """Return what `as_text` was given."""
    return cell[1:] if cell.startswith("'") and as_text(cell[1:]) == cell else cell


def write_rows(file: TextIO, rows: Iterable[Iterable[Any]]) -> None:
    """Write rows as CSV that is read back as it was, to a file opened with ``newline=""``.

    Rows end in a line feed. A writer told so leaves carriage returns within cells unquoted, so it
    keeps its own ending.
    """
    csv.writer(_LineFeeds(file)).writerows(rows)


class _LineFeeds:
    """Takes whole rows, and gives them the line end of this project's files."""

    def __init__(self, file: TextIO) -> None:
        self.file = file

    def write(self, row: str) -> None:
        self.file.write(row.removesuffix("\r\n") + "\n")
