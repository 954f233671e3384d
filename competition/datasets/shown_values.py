"""Values of metadata as a reader knows them: a date as a date, a budget with all its digits."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from competition.datasets.metadata import Reading

SECONDS = 86_400  # of a day
LONGEST_WHOLE = 1e15  # above, a float64 does not tell every whole number


def shown_value(value: Any, column: str, readings: Mapping[str, Reading]) -> str:
    """Return a value of a column of metadata as a text; "" where it is missing.

    Parameters
    ----------
    value : object
        A number, of a column of dates the days since 1970, or a category.
    column : str
    readings : mapping of str to Reading
        How the dataset's columns were read, as far as that is known.

    Examples
    --------
    >>> [shown_value(one, "price", {}) for one in (237000000.0, 0.25, "cheap", float("nan"))]
    ['237000000', '0.25', 'cheap', '']
    >>> shown_value(19000.0, "day", {"day": Reading("date")})
    '2022-01-08'
    """
    if pd.isna(value):
        return ""
    if isinstance(value, str) or not np.isfinite(value):
        return str(value)
    if column in readings and readings[column].type == "date":
        moment = np.datetime64(round(value * SECONDS), "s")
        return str(moment.astype("datetime64[D]") if value == int(value) else moment)
    whole = value == int(value) and abs(value) < LONGEST_WHOLE
    return str(int(value)) if whole else f"{value:.8g}"
