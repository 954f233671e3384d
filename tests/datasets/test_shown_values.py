"""Values of metadata as a reader knows them."""

import numpy as np
import pandas as pd
import pytest

from competition.datasets.metadata import Reading
from competition.datasets.shown_values import shown_value

READINGS = {"day": Reading("date"), "price": Reading("number", ".")}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (237_000_000.0, "237000000"),
        (np.float64(0.1), "0.1"),
        (float(np.float32(0.1)), "0.1"),
        (-3.0, "-3"),
        (0, "0"),
        (1e300, "1e+300"),
        (float("inf"), "inf"),
        (float("nan"), ""),
        (pd.NA, ""),
        (None, ""),
        ("<i>", "<i>"),
    ],
)
def test_numbers_and_categories(value: object, expected: str) -> None:
    assert shown_value(value, "price", READINGS) == expected


@pytest.mark.parametrize("written", ["1969-07-20", "2024-02-29", "2024-02-29T13:45:10"])
def test_dates_are_those_that_were_written(written: str) -> None:
    days = pd.Timestamp(written).timestamp() / 86_400
    assert shown_value(days, "day", READINGS) == written
