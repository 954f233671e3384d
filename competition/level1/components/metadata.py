"""Metadata columns as numbers."""

from typing import Any

import numpy as np
import pandas as pd

from competition.utils.errors import ModelError


def is_metadata(column: pd.Series) -> bool:
    """Tell whether a column holds metadata (numbers, bool, category) rather than texts."""
    return isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_numeric_dtype(column)


def numbers(column: pd.Series, dtype: type[np.floating]) -> np.ndarray:
    """Values of a column, (n_ads,); what is missing, or not finite in `dtype`, is NaN.

    Raises
    ------
    ModelError
        If the column holds no numbers.
    """
    if not pd.api.types.is_numeric_dtype(column):
        raise ModelError(
            f"Column {column.name!r} held numbers when the model was fitted and now holds "
            f"{column.dtype}. Give it as numbers, NaN where missing."
        )
    with np.errstate(over="ignore"):
        values = column.to_numpy(dtype=dtype, na_value=np.nan)
    return np.where(np.isfinite(values), values, dtype(np.nan))


def frequencies(column: pd.Series) -> dict[Any, int]:
    """Number of training ads of each category that occurs, the commonest first.

    What is missing does not count. Categories of as many ads are in alphabetical order.
    """
    counts = column.astype(object).value_counts().to_dict()
    return dict(sorted(counts.items(), key=lambda item: (-item[1], str(item[0]))))
