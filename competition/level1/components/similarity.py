"""How like the training ads an ad is, by its texts or by an array."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

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
        self.training_ = self.vectorizer_.fit_transform(X[list(self.columns)])
        return self

    def to_training(self, X: pd.DataFrame) -> np.ndarray:
        """See `Similarity`."""
        terms = self.vectorizer_.transform(X[list(self.columns)])
        return np.asarray((terms @ self.training_.T).toarray(), dtype=np.float32)


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
        cells = X[self.column]
        self.dims_ = next((cell.shape[1] for cell in cells if isinstance(cell, np.ndarray)), 0)
        means = means_or_nan(cells, self.dims_)
        known = means[~np.isnan(means).any(axis=1)]
        self.centre_ = known.mean(axis=0) if len(known) else np.zeros(self.dims_, np.float32)
        spread = known.std(axis=0) if len(known) else self.centre_
        self.scale_ = np.where(spread > 0, spread, np.float32(1))
        self.directions_ = self._directions(X)
        return self

    def to_training(self, X: pd.DataFrame) -> np.ndarray:
        """See `Similarity`."""
        return self._directions(X) @ self.directions_.T

    def _directions(self, X: pd.DataFrame) -> np.ndarray:
        for ad, cell in X[self.column].items():
            if isinstance(cell, np.ndarray) and self.dims_ and cell.shape[1] != self.dims_:
                raise ModelError(
                    f"Ad {ad!r}, column {self.column!r}: an array of shape {cell.shape} where all "
                    f"others have {self.dims_} dimensions. Extract the feature anew."
                )
        means = np.nan_to_num(means_or_nan(X[self.column], self.dims_) - self.centre_)
        standard = (means / self.scale_).astype(np.float32)
        lengths = np.linalg.norm(standard, axis=1, keepdims=True)
        return standard / np.where(lengths > 0, lengths, np.float32(1))
