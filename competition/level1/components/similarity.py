"""How like the training ads an ad is, by its texts or by an array."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from competition.level1.components.modalities import moments, scaled
from competition.level1.components.pooled_arrays import means_or_nan
from competition.level1.components.text import TextVectorizer
from competition.text.terms import TermsSpec
from competition.utils.errors import ModelError


class Similarity(BaseEstimator, ABC):
    """Cosines between ads and training ads; 0 where one of the two lacks what is compared."""

    @abstractmethod
    def fit(self, X: pd.DataFrame) -> Self:
        """Keep what training ads are compared by."""

    @abstractmethod
    def to_training(self, X: pd.DataFrame) -> np.ndarray:
        """Similarity of ads to each training ad: (n_ads, n_training), float32."""


class TextSimilarity(Similarity):
    """Cosine of the weighted terms of all texts of an ad.

    Parameters
    ----------
    columns : sequence of str
    spec : TermsSpec
        How texts are analysed.
    min_df : int
        Terms of fewer training ads than this are ignored.
    """

    def __init__(self, columns: Sequence[str], spec: TermsSpec, min_df: int) -> None:
        self.columns = columns
        self.spec = spec
        self.min_df = min_df

    def fit(self, X: pd.DataFrame) -> Self:
        """Weigh the terms of training ads."""
        self.vectorizer_ = TextVectorizer(self.spec, self.min_df)
        terms = self.vectorizer_.fit_transform(X[list(self.columns)])
        self.training_ = terms.T.tocsr()  # (n_terms, n_training), as products want it
        return self

    def to_training(self, X: pd.DataFrame) -> np.ndarray:
        """See `Similarity`."""
        terms = self.vectorizer_.transform(X[list(self.columns)])
        return np.asarray((terms @ self.training_).toarray(), dtype=np.float32)


class ArraySimilarity(Similarity):
    """Cosine of the means over time of an array, in deviations from the training ads' mean.

    Parameters
    ----------
    column : str
    """

    def __init__(self, column: str) -> None:
        self.column = column

    def fit(self, X: pd.DataFrame) -> Self:
        """Keep the directions of training ads."""
        self.dims_ = next((len(cell[0]) for cell in X[self.column] if _is_array(cell)), 0)
        means = self._means(X)
        self.moments_ = moments(means)
        self.training_ = self._directions(means).T
        return self

    def to_training(self, X: pd.DataFrame) -> np.ndarray:
        """See `Similarity`."""
        return self._directions(self._means(X)) @ self.training_

    def _directions(self, means: np.ndarray) -> np.ndarray:
        standard = scaled(means, *self.moments_)
        lengths = np.linalg.norm(standard, axis=1, keepdims=True)
        return standard / np.where(lengths > 0, lengths, np.float32(1))

    def _means(self, X: pd.DataFrame) -> np.ndarray:
        """Means over time, (n_ads, dims), float32; NaN where there is none that is finite."""
        for ad, cell in X[self.column].items():
            if _is_array(cell) and self.dims_ and cell.shape[1] != self.dims_:
                raise ModelError(
                    f"Ad {ad!r}, column {self.column!r}: an array of shape {cell.shape} where all "
                    f"others have {self.dims_} dimensions. Extract the feature anew."
                )
        means = means_or_nan(X[self.column], self.dims_)
        means[~np.isfinite(means).all(axis=1)] = np.nan
        return means


def _is_array(cell: Any) -> bool:
    return isinstance(cell, np.ndarray) and len(cell) > 0
