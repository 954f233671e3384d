"""CSV files: their rows, and cells that a spreadsheet would take for formulas."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from pandas import DataFrame

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


def write_frame(file: TextIO, frame: DataFrame) -> None:
    """Write a table as `write_rows` does, without its index; numbers as pandas writes them."""
    frame.to_csv(cast(TextIO, _LineFeeds(file)), index=False, lineterminator="\r\n")


class _LineFeeds:
    """Takes whole rows, and gives them the line end of this project's files."""

    def __init__(self, file: TextIO) -> None:
        self.file = file

    def write(self, row: str) -> None:
        self.file.write(row.removesuffix("\r\n") + "\n")
