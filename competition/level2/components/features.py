"""Metadata about ads, and whatever else a stack sees, as matrices of numbers.

What is learned here (means, spreads, knots, which categories count) is learned from the rows that
the caller names as training rows; every other row is only transformed.
"""

import numpy as np
import pandas as pd

from competition.level2.components.logits import blocks

# Metadata further out than this many spreads count as this far out.
SPREADS = 5.0
KNOTS = (0.2, 0.4, 0.6, 0.8)
RARE = 5


def standardised(columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and spread 1 over `rows`, held to plus or minus 5.

    A column that is constant over `rows` says nothing that could have been learned there and
    becomes 0 everywhere.

    Parameters
    ----------
    columns : ndarray of shape (n_ads, n_columns)
    rows : ndarray of int
        Training rows.

    Returns
    -------
    ndarray of shape (n_ads, n_columns), dtype float32
    """
    known = columns[rows].astype(np.float64)
    mean, spread = known.mean(axis=0), known.std(axis=0)
    constant = spread <= 1e-9 * (1 + np.abs(mean))
    scaled = np.empty(columns.shape, dtype=np.float32)
    for block in blocks(len(columns)):
        far = (columns[block] - mean) / np.where(constant, 1.0, spread)
        scaled[block] = np.clip(np.where(constant, 0.0, far), -SPREADS, SPREADS)
    return scaled


class EncodedMetadata:
    """Metadata and missing inputs of all ads, ready to be standardised for any training rows.

    A number becomes itself (its logarithm where its training values are far from symmetric) and
    four hinges at training quantiles, by which a linear model follows a bent effect. A category
    becomes one column for each value that is not rare. Both get a flag for NA, and a missing input
    becomes a flag. The columns are the same for all training rows; those that these rows teach
    nothing about are 0.

    Parameters
    ----------
    metadata : DataFrame of shape (n_ads, n_metadata)
        Numbers or categories, NA where missing.
    missing : ndarray of shape (n_ads, n_inputs), dtype bool
    """

    def __init__(self, metadata: pd.DataFrame, missing: np.ndarray) -> None:
        self._numbers: list[np.ndarray] = []
        self._flags: list[np.ndarray] = [np.asarray(missing, dtype=bool)]
        for position in range(metadata.shape[1]):
            column = metadata.iloc[:, position]
            if pd.api.types.is_numeric_dtype(column):
                values = column.to_numpy(dtype=np.float64, na_value=np.nan)
                values = np.where(np.isfinite(values), values, np.nan)
                self._numbers.append(values)
                self._flags.append(np.isnan(values)[:, None])
            else:
                self._flags.append(column.isna().to_numpy(dtype=bool)[:, None])
                text = column.astype("string").fillna("")
                # Sorted: by number, an ad that is asked about could change the order of columns.
                counts = text.value_counts()
                common = sorted(str(v) for v, n in counts.items() if n >= RARE and v != "")
                self._flags.append(text.to_numpy(str)[:, None] == np.array(common, str))

    def design(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Turn metadata into columns, with statistics of the training rows `rows` alone.

        Returns
        -------
        plain : ndarray of shape (n_ads, n_columns), dtype float32
            Centred flags and categories, then standardised numbers.
        hinges : ndarray of shape (n_ads, 4 * n_numbers), dtype float32
            Standardised hinges of the numbers.
        """
        flags = np.hstack(self._flags)
        flags[:, flags[rows].sum(axis=0) < RARE] = False
        # Centred but not divided by their spread: a rare one would dwarf everything else.
        plain = [(flags - flags[rows].mean(axis=0)).astype(np.float32)]
        hinges = [np.zeros((len(flags), 0), dtype=np.float32)]
        for values in self._numbers:
            bent = hinged(values, rows)
            plain.append(bent[:, :1])
            hinges.append(bent[:, 1:])
        return np.hstack(plain), np.hstack(hinges)


def hinged(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Standardise a number and its hinges at training quantiles; NA counts as the median.

    Parameters
    ----------
    values : ndarray of shape (n_ads,), dtype float64
        NaN where missing.
    rows : ndarray of int
        Training rows.

    Returns
    -------
    ndarray of shape (n_ads, 1 + 4), dtype float32
    """
    known = values[rows][~np.isnan(values[rows])]
    if len(known) == 0:
        return np.zeros((len(values), 1 + len(KNOTS)), dtype=np.float32)
    low, middle, high = np.quantile(known, (0.05, 0.5, 0.95))
    if low >= 0 and high - middle > 3 * (middle - low):
        values, known = np.log1p(np.maximum(values, 0)), np.log1p(np.maximum(known, 0))
    values = np.where(np.isnan(values), np.median(known), values)
    knots = np.quantile(known, KNOTS)
    # Beyond the training range a straight line is a guess.
    values = np.clip(values, known.min(), known.max())
    hinges = np.maximum(values[:, None] - knots, 0)
    return standardised(np.column_stack([values, hinges]), rows)
