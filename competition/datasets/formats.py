"""Tables that are not CSV, as text: Parquet, JSON lines and Excel."""

import datetime
import json
import math
from collections import Counter
from numbers import Number
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from competition.datasets.problems import Problems, shortened
from competition.datasets.table_rows import Table, TableBuilder

_AT_ONCE = 20_000


def as_text(value: Any) -> str:
    """Return a value as a cell of a CSV would hold it; a list as JSON, nothing as empty text."""
    if value is None or value is pd.NaT or value is pd.NA:
        return ""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, datetime.datetime):
        has_time = value.time() != datetime.time(0)
        return value.isoformat() if has_time else value.date().isoformat()
    if hasattr(value, "tolist"):  # numpy's scalars and arrays
        return as_text(value.tolist())
    if isinstance(value, list | tuple | set | frozenset | dict):
        items = sorted(value, key=as_text) if isinstance(value, set | frozenset) else value
        if not isinstance(items, dict):  # 1.0 is 1 in a list, too
            items = [as_text(one) if _is_whole(one) else one for one in items]
        return json.dumps(items, ensure_ascii=False, default=as_text)
    return str(value)


def as_cell(value: Any, comma: bool) -> str:
    """Return a value as `as_text` does, a number with a decimal comma where that is asked for."""
    text = as_text(value)
    return text.replace(".", ",") if comma and isinstance(value, Number) else text


def _is_whole(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()


def read_parquet(path: Path, builder: TableBuilder) -> Table | None:
    """Read a Parquet file; rows count from 1."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    if not builder.header(file.schema_arrow.names, 0):
        return None
    line = 1
    for batch in file.iter_batches(batch_size=_AT_ONCE):
        columns = zip(batch.columns, batch.schema.names, strict=True)
        texts = [_texts(column, name.strip() in builder.commas) for column, name in columns]
        for cells in zip(*texts, strict=True):
            builder.row(cells, line)
            line += 1
    return builder.table()


def _texts(column: pa.Array, comma: bool) -> list[str]:
    if pa.types.is_string(column.type) or pa.types.is_integer(column.type):
        return pc.fill_null(pc.cast(column, pa.string()), "").to_pylist()
    try:
        return [as_cell(value, comma) for value in column.to_pylist()]
    except (OverflowError, ValueError):  # a moment that Python's calendar does not reach
        return pc.fill_null(pc.cast(column, pa.string()), "").to_pylist()


def read_json_lines(
    file: BinaryIO, name: str, builder: TableBuilder, problems: Problems
) -> Table | None:
    """Read an object per line, or one list of objects; columns are the keys of all of them.

    One object of columns, as `DataFrame.to_json` writes it by default, is read as it is meant.
    """
    text = file.read().decode("utf-8-sig")  # a fault is a ValueError, which the caller names
    found: list[tuple[int, Any]]
    if text.lstrip().startswith("["):
        try:
            found = list(enumerate(json.loads(text, object_pairs_hook=_object), start=1))
        except RecursionError as bad:
            raise ValueError("it is nested too deeply") from bad
    else:
        found = []
        for line, cell in enumerate(text.split("\n"), start=1):
            if not cell.strip():
                continue
            try:
                found.append((line, json.loads(cell, object_pairs_hook=_object)))
            except (ValueError, RecursionError) as bad:
                text = f"malformed JSON: {bad}. Correct or remove the line."
                problems.error("malformed table", f"{name}:{line}", text)
        if len(found) == 1 and _holds_columns(found[0][1]):
            of_columns = found[0][1]
            rows = next(iter(of_columns.values()))
            found = [
                (row, {column: cells[key] for column, cells in of_columns.items()})
                for row, key in enumerate(rows, start=1)
            ]
    objects = [(line, value) for line, value in found if isinstance(value, dict)]
    for line, value in found:
        if not isinstance(value, dict):
            text = 'expected an object such as {"id": "ad1", "title": "..."}.'
            problems.error("malformed table", f"{name}:{line}", text)
    columns = list(dict.fromkeys(key for _, value in objects for key in value))
    if not builder.header(columns, 1):
        return None
    for line, value in objects:
        builder.row(
            [as_cell(value.get(one), one.strip() in builder.commas) for one in columns], line
        )
    return builder.table()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        twice = next(key for key, n in Counter(key for key, _ in pairs).items() if n > 1)
        raise ValueError(f"the key {shortened(twice)!r} stands twice in an object")
    return value


def _holds_columns(value: Any) -> bool:
    """Whether an object holds a column under each key: objects of the same rows."""
    if not isinstance(value, dict) or not value:
        return False
    columns = list(value.values())
    return all(isinstance(one, dict) and one.keys() == columns[0].keys() for one in columns)


def read_excel(path: Path, name: str, builder: TableBuilder, problems: Problems) -> Table | None:
    """Read the first sheet of an Excel file."""
    try:
        from openpyxl import load_workbook
    except ImportError:
        text = "Excel files need a package: pip install openpyxl, or save the table as CSV."
        problems.error("unknown table", name, text)
        return None
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except Exception as bad:  # of many kinds, from its zip archive and its XML
        raise ValueError(f"it is no Excel file that can be read: {bad}") from bad
    try:
        if len(book.worksheets) > 1:
            first = book.worksheets[0].title
            text = f"of {len(book.worksheets)} sheets the first one, {first!r}, is read."
            problems.warning("several sheets", name, text)
        rows = enumerate(book.worksheets[0].iter_rows(values_only=True), start=1)
        header = next(([as_text(cell) for cell in row] for _, row in rows), [])
        if not builder.header(header, 1):
            return None
        commas = {place for place, name in enumerate(header) if name.strip() in builder.commas}
        for line, row in rows:
            cells = [as_cell(cell, place in commas) for place, cell in enumerate(row)]
            if any(cells):
                cells += [""] * (len(header) - len(cells))
                builder.row(cells[: len(header)], line)
    finally:
        book.close()
    return builder.table()
