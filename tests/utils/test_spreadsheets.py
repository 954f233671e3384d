"""Cells that a spreadsheet must not run, and rows that are read back."""

import csv
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from competition.utils.spreadsheets import as_text, from_text, write_frame, write_rows


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1"])
def test_formula_gets_an_apostrophe(cell: str) -> None:
    assert as_text(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "a=1", "it's", "'tis", "1", "广告", " =1"])
def test_other_text_stays(cell: str) -> None:
    assert as_text(cell) == cell


@given(st.text(alphabet="'=+-@\t\ra ", max_size=6))
def test_what_was_written_is_read_back(cell: str) -> None:
    assert from_text(as_text(cell)) == cell


@given(st.lists(st.lists(st.text(max_size=4), min_size=2), min_size=1))
@example([["a\rb", "\r"], ["a\r\nb", '"\n']])
def test_rows_are_read_back_as_they_were(rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    write_rows(text, rows)
    assert list(csv.reader(io.StringIO(text.getvalue(), newline=""))) == rows


def test_table_is_read_back_with_the_digits_of_its_numbers() -> None:
    text = io.StringIO(newline="")
    frame = pd.DataFrame({"id": ["a\rb", 'c"'], "War": np.array([0.3, 1e-9], np.float32)})
    write_frame(text, frame)
    assert text.getvalue() == 'id,War\n"a\rb",0.3\n"c""",1e-09\n'


def test_rows_end_in_a_line_feed() -> None:
    text = io.StringIO(newline="")
    write_rows(text, [["a", 1], ["b\r\n", None]])
    assert text.getvalue() == 'a,1\n"b\r\n",\n'
