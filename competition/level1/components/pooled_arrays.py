"""Arrays of any length as one dense row per ad."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator


class PooledArrays(BaseEstimator):
    """Mean over time of every array column, standardised by the training ads, and a flag.

    A missing array counts as the mean of the training ads; its flag, 1 where missing and else 0,
    tells it from one that is there.

    Attributes
    ----------
    moments_ : dict of str to (ndarray, ndarray)
        Mean and deviation of each dimension, by column; a deviation of 0 counts as 1. No dimension
        where no training ad has the array.
    """

    def fit_transform(self, X: pd.DataFrame) -> np.ndarray:
        """Learn means and deviations from training ads; see `transform`."""
        self.moments_ = {column: _moments(_means(X[column])[0]) for column in X.columns}
        return self.transform(X)

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Return the rows of ads, (n_ads, n_features), float32; each column's flag stands last."""
        columns = []
        for column, (centre, scale) in self.moments_.items():
            means, there = _means(X[column])
            standard = np.zeros((len(X), len(centre)), dtype=np.float32)
            if len(centre) and there.any():
                standard[there] = (means - centre) / scale
            columns += [standard, ~there[:, None]]
        return np.hstack(columns, dtype=np.float32)


def _means(cells: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Mean over time of the arrays that are there, (n_there, dims) float32, and where they are."""
    there = np.array([isinstance(cell, np.ndarray) for cell in cells], dtype=bool)
    means = [cell.mean(axis=0, dtype=np.float32) for cell in cells[there]]
    return np.stack(means) if means else np.empty((0, 0), dtype=np.float32), there


def means_or_nan(cells: pd.Series, dims: int) -> np.ndarray:
    """Mean over time of each array: (n_ads, dims), float32, NaN where there is none."""
    means = np.full((len(cells), dims), np.nan, dtype=np.float32)
    for row, cell in enumerate(cells):
        if isinstance(cell, np.ndarray) and len(cell) and dims:
            means[row] = cell.mean(axis=0, dtype=np.float32)
    return means


def _moments(means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if not len(means):
        return np.empty(0, dtype=np.float32), np.empty(0, dtype=np.float32)
    deviation = means.std(axis=0)
    return means.mean(axis=0), np.where(deviation > 0, deviation, np.float32(1))
