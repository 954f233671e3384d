"""Arrays of any length as one dense row per ad, for models of the whole picture."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator


class PooledArrays(BaseEstimator):
    """Mean over time of every array column, standardised by the training ads.

    A missing array counts as the mean of the training ads, and a flag tells it from one that is
    there.

    Attributes
    ----------
    dims_ : dict of str to int
        Width of each column; 0 where no training ad has the array.
    mean_, scale_ : ndarray of shape (n_features,), dtype float32
    """

    def fit_transform(self, X: pd.DataFrame) -> np.ndarray:
        """Learn mean and scale from training ads; (n_ads, n_features), float32."""
        self.dims_ = {
            name: next((cell.shape[1] for cell in X[name] if cell is not None), 0)
            for name in X.columns
        }
        pooled = self._pooled(X)
        present = np.isfinite(pooled)
        count = np.maximum(present.sum(axis=0), 1)
        self.mean_ = np.where(present, pooled, 0).sum(axis=0) / count
        spread = np.sqrt((np.where(present, pooled - self.mean_, 0) ** 2).sum(axis=0) / count)
        self.scale_ = np.where(spread > 1e-6, spread, 1).astype(np.float32)
        return self._standardised(pooled)

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Rows of ads that are to be predicted: (n_ads, n_features), float32."""
        return self._standardised(self._pooled(X))

    def _pooled(self, X: pd.DataFrame) -> np.ndarray:
        """Means over time, NaN where missing, and after each column its flag."""
        blocks = []
        for name, dims in self.dims_.items():
            block = np.full((len(X), dims + 1), np.nan, dtype=np.float32)
            for row, cell in enumerate(X[name]):
                if cell is not None and dims:
                    block[row, :dims] = np.mean(cell, axis=0, dtype=np.float32)
                block[row, dims] = cell is None
            blocks.append(block)
        return np.hstack(blocks)

    def _standardised(self, pooled: np.ndarray) -> np.ndarray:
        return np.nan_to_num((pooled - self.mean_) / self.scale_, nan=0.0).astype(np.float32)
