"""Read tables of users, whatever they are stored as, and name every fault with its place."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from competition.datasets import encodings, formats
from competition.datasets.problems import Problems, shortened
from competition.datasets.table_rows import Table, TableBuilder, printable, table_of

DELIMITERS = (",", ";", "\t", "|")
LONGEST_CELL = 2**31 - 1
_SEP_LINE = re.compile(r'"?sep=(.)"?')  # Excel's own first line


@dataclass(frozen=True)
class Row:
    """One row of a table: the line that it starts on, and its cells by column."""

    line: int
    cells: dict[str, str]


@dataclass(frozen=True)
class Dialect:
    """How a file holds a table; None where the file shows it.

    Attributes
    ----------
    encoding, delimiter : str or None
        Of a text.
    commas : frozenset of str
        Columns that are read as having decimal commas. Where a file holds numbers as such, they
        are written that way.
    """

    encoding: str | None = None
    delimiter: str | None = None
    commas: frozenset[str] = frozenset()


def _empty(name: str, columns: Sequence[str]) -> Table:
    nothing = pa.chunked_array([], type=pa.large_string())
    return table_of(name, dict.fromkeys(columns, nothing), np.zeros(0, dtype=np.int64))


def read_table(
    path: Path,
    name: str,
    required: Sequence[str],
    problems: Problems,
    *,
    others: Sequence[str] | None = None,
    dialect: Dialect | None = None,
) -> Table:
    """Read a table with a header; malformed rows become errors and are left out.

    CSV (separated by commas, semicolons, tabs or bars; in UTF-8, UTF-16, GBK or cp1252; also
    packed by gzip, zip or zstd), JSON lines, Parquet or Excel, as the file itself shows.

    Parameters
    ----------
    path : Path
    name : str
        The file in messages.
    required : sequence of str
        Columns that the header must have.
    problems : Problems
        Receives the faults.
    others : sequence of str, optional
        Patterns of further columns to read; all of them by default.
    dialect : Dialect, optional
        What is known of a text; the file shows the rest.
    """
    nothing = _empty(name, required)
    if not path.is_file():
        problems.error("absent file", name, "there is no such file. Add it, or correct its name.")
        return nothing
    dialect = dialect or Dialect()
    build = partial(TableBuilder, name, required, others, problems, commas=dialect.commas)
    try:
        packed = encodings.packing(path)
        if packed == "xls":
            text = "this is an old or encrypted Excel file. Save it as .xlsx or CSV."
            problems.error("unknown table", name, text)
            return nothing
        if packed == "parquet":
            return formats.read_parquet(path, build(unit=", row ")) or nothing
        if packed == "xlsx":
            return formats.read_excel(path, name, build(), problems) or nothing
        plain = path.name.removesuffix(".gz").removesuffix(".zst").removesuffix(".zip")
        if plain.endswith((".jsonl", ".ndjson", ".json")):
            with encodings.unpacked(path, packed) as file:
                return formats.read_json_lines(file, name, build(), problems) or nothing
        return _read_text(path, packed, name, build(), problems, dialect) or nothing
    except (*encodings.UNPACKING_ERRORS, pa.ArrowException) as bad:
        text = f"it cannot be read: {shortened(str(bad), 200)}. Save it again, or correct its name."
        problems.error("damaged file", name, text)
        return nothing


def read_csv(
    path: Path,
    name: str,
    required: list[str],
    problems: Problems,
    dialect: Dialect | None = None,
) -> list[Row]:
    """Read a table as `read_table` does, row by row."""
    table = read_table(path, name, required, problems, dialect=dialect)
    columns = list(table.cells.columns)
    cells = zip(*(table.cells[column] for column in columns), strict=True)
    return [
        Row(int(line), dict(zip(columns, row, strict=True)))
        for line, row in zip(table.lines, cells, strict=True)
    ]


def _read_text(
    path: Path,
    packed: str,
    name: str,
    builder: TableBuilder,
    problems: Problems,
    dialect: Dialect,
) -> Table | None:
    encoding = dialect.encoding
    if encoding is None:
        with encodings.unpacked(path, packed) as file:
            found, example = encodings.detect(file)
        if found == "binary":
            text = "the file is no text. Save the table as CSV, Parquet, JSON lines or .xlsx."
            problems.error("unknown table", name, text)
            return None
        if example:
            problems.warning(
                "not UTF-8",
                name,
                f"read as {found}, such as {shortened(example)!r}. Save it as UTF-8, or declare "
                f'encoding = "{found}".',
            )
        encoding = found
    # Where no encoding is beyond doubt, rows with bytes that are not UTF-8 are named.
    checked = dialect.encoding is not None or encoding is None
    errors = "replace" if (encoding or "").startswith(("utf-16", "utf-32")) else "surrogateescape"
    encoding = "utf-8-sig" if encoding in (None, "utf-8") else encoding
    with encodings.unpacked(path, packed) as file:
        head = io.TextIOWrapper(file, encoding=encoding, errors=errors, newline="")
        delimiter = dialect.delimiter or _delimiter(head, builder.required)
        head.detach()
    with encodings.unpacked(path, packed) as file:
        content = io.TextIOWrapper(file, encoding=encoding, errors=errors, newline="")
        return _rows(
            content, delimiter, name, builder, problems, checked=checked, encoding=encoding
        )


def _delimiter(text: io.TextIOWrapper, required: Sequence[str]) -> str:
    """Return what separates the cells of the first line, so that the required columns are there."""
    lines = _lines_with_content(text)
    line = next(lines, "")
    if declared := _SEP_LINE.fullmatch(line.strip("\r\n")):
        return declared[1]

    def columns(delimiter: str) -> list[str]:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]

    fitting = [one for one in DELIMITERS if set(required) <= set(columns(one))]
    return max(fitting or DELIMITERS[:1], key=lambda one: len(columns(one)))


def _lines_with_content(text: io.TextIOWrapper) -> Iterator[str]:
    csv.field_size_limit(LONGEST_CELL)
    return (line for line in text if line.strip())


def _rows(
    text: io.TextIOWrapper,
    delimiter: str,
    name: str,
    builder: TableBuilder,
    problems: Problems,
    *,
    checked: bool,
    encoding: str,
) -> Table | None:
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    header: list[str] = []
    try:
        while (not header or _SEP_LINE.fullmatch(delimiter.join(header))) and (
            cells := next(reader, None)
        ) is not None:
            header = cells
    except csv.Error as bad:
        text_of_fault = (
            f"not valid CSV: {bad}. Correct the line, or declare what stands between cells, such "
            'as delimiter = " ".'
        )
        problems.error("malformed table", f"{name}:{reader.line_num}", text_of_fault)
        return None
    if not builder.header(header, 1):
        return None
    try:
        width = len(header)
        line = reader.line_num + 1
        for cells in reader:
            if len(cells) != width:
                _name_malformed(cells, header, f"{name}:{line}", delimiter, problems)
            elif checked and not is_utf8("".join(cells)):
                _name_bytes(cells, header, f"{name}:{line}", encoding, problems)
            else:
                builder.row(cells, line)
            line = reader.line_num + 1
    except csv.Error as bad:
        problems.error(
            "malformed table",
            f"{name}:{reader.line_num}",
            f"not valid CSV: {bad}. Correct the row.",
        )
    return builder.table()


def _name_malformed(
    cells: list[str], header: list[str], where: str, delimiter: str, problems: Problems
) -> None:
    if not cells:
        return
    what = {",": "a comma", ";": "a semicolon", "\t": "a tab"}.get(delimiter, repr(delimiter))
    problems.error(
        "malformed table",
        where,
        f"{len(cells)} cells where the header has {len(header)}; put cells that hold {what}, "
        "a quote or a line break in double quotes.",
        shortened(printable(cells[0])),
    )


def _name_bytes(
    cells: list[str], header: list[str], where: str, encoding: str, problems: Problems
) -> None:
    column, cell = next(
        (column, cell) for column, cell in zip(header, cells, strict=True) if not is_utf8(cell)
    )
    named = "UTF-8" if encoding == "utf-8-sig" else encoding
    problems.error(
        "not UTF-8",
        where,
        f"column {printable(column)} holds bytes that are not {named}: "
        f"{shortened(printable(cell))!r}. Save the file as UTF-8, or declare its encoding.",
        shortened(printable(cells[0])),
    )


def is_utf8(text: str) -> bool:
    """Return whether a text decoded with ``surrogateescape`` was valid UTF-8."""
    return not any("\udc80" <= character <= "\udcff" for character in text)
