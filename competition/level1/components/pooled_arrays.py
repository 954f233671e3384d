"""Arrays of any length as one dense row per ad."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator


class PooledArrays(BaseEstimator):
    """Mean over time of every array column, standardised by the training ads, and a flag.

    A missing array counts as the mean of the training ads; its flag, 1 where missing and else 0,
    tells it from one that is there.

    Parameters
    ----------
    spread : bool
        Deviation and maximum over time stand beside the mean, of columns of which some training ad
        has several rows.

    Attributes
    ----------
    moments_ : dict of str to (ndarray, ndarray)
        Mean and deviation of each feature, by column; a deviation of 0 counts as 1. No feature
        where no training ad has the array.
    """

    def __init__(self, spread: bool = False) -> None:
        self.spread = spread

    def fit_transform(self, X: pd.DataFrame) -> np.ndarray:
        """Learn means and deviations from training ads; see `transform`."""
        self.moments_ = {}
        for column in X.columns:
            found = _over_time(X[column])[0]
            if not (self.spread and any(len(cell) > 1 for cell in X[column] if _is_there(cell))):
                found = found[:, : found.shape[1] // 3]
            self.moments_[column] = _moments(found)
        return self.transform(X)

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Return the rows of ads, (n_ads, n_features), float32; each column's flag stands last."""
        columns = []
        for column, (centre, scale) in self.moments_.items():
            found, there = _over_time(X[column])
            standard = np.zeros((len(X), len(centre)), dtype=np.float32)
            if len(centre) and there.any():
                if found.shape[1] not in (3 * len(centre), len(centre)):
                    n_dims = found.shape[1] // 3
                    raise ValueError(
                        f"{column}: {n_dims} dimensions, where training ads had others."
                    )
                standard[there] = (found[:, : len(centre)] - centre) / scale
            columns += [standard, ~there[:, None]]
        return np.hstack(columns, dtype=np.float32)


def _over_time(cells: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Mean, deviation and maximum over time of the arrays that are there, and where they are.

    The first is (n_there, 3 dims), float32.
    """
    there = np.array([_is_there(cell) for cell in cells], dtype=bool)
    rows = [_summary(np.asarray(cell, dtype=np.float32)) for cell in cells[there]]
    return np.stack(rows) if rows else np.empty((0, 0), dtype=np.float32), there


def _summary(cell: np.ndarray) -> np.ndarray:
    most = cell.max(axis=0)
    changes = cell.min(axis=0) < most  # rounding gives equal rows a deviation of their own
    return np.concatenate([cell.mean(axis=0), np.where(changes, cell.std(axis=0), 0), most])


def _is_there(cell: object) -> bool:
    return isinstance(cell, np.ndarray) and len(cell) > 0


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
