"""Cells that a spreadsheet must not run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competition.utils.spreadsheets import as_text, from_text


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1"])
def test_formula_gets_an_apostrophe(cell: str) -> None:
    assert as_text(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "a=1", "it's", "'tis", "1", "广告", " =1"])
def test_other_text_stays(cell: str) -> None:
    assert as_text(cell) == cell


@given(st.text(alphabet="'=+-@\t\ra ", max_size=6))
def test_what_was_written_is_read_back(cell: str) -> None:
    assert from_text(as_text(cell)) == cell
