"""The inputs of ads as one dense matrix for each modality, for networks that fuse them.

All texts of an ad are one modality, all its metadata another, and each array is one of its own.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from competition.level1.components.metadata import frequencies, is_metadata, numbers
from competition.level1.components.pooled_arrays import means_or_nan
from competition.level1.components.text import TextVectorizer
from competition.text.terms import TermsSpec
from competition.utils.errors import ModelError

SPREADS = 5.0  # numbers further out than this many spreads count as this far out
RARE = 5  # a category of fewer training ads has no column of its own


class Modalities(BaseEstimator):
    """Dense features of each modality, and which ads have it.

    Texts become their leading directions of weighted terms (latent semantic analysis: Deerwester
    et al. 1990), arrays their mean over time, metadata standardised numbers, one column for each
    common category and a flag for each of them that is missing. What an ad lacks is 0.

    Parameters
    ----------
    spec : TermsSpec
        How texts are analysed.
    directions : int
        Most directions of the terms.
    random_state : int
        Seeds the decomposition of the terms.
    """

    def __init__(self, spec: TermsSpec, directions: int = 256, random_state: int = 0) -> None:
        self.spec = spec
        self.directions = directions
        self.random_state = random_state

    def fit_transform(self, X: pd.DataFrame) -> tuple[list[np.ndarray], np.ndarray]:
        """Learn the features from training ads and return those of the training ads.

        Parameters
        ----------
        X : DataFrame of shape (n_ads, n_columns)
            Numeric, bool and category columns are metadata; columns of texts or counted terms are
            texts; columns of arrays of shape (time, dims), None where missing, are arrays.

        Returns
        -------
        features : list of ndarray of shape (n_ads, n_features), dtype float32
            One per modality: the texts, then each array, then the metadata. A modality that no
            training ad has is left out.
        present : ndarray of shape (n_ads, n_modalities), dtype bool
            Which ads have which modality.

        Raises
        ------
        ModelError
            If a cell is of no known kind.
        """
        kinds = {str(column): kind_of(X[column]) for column in X.columns}
        self.texts_ = [column for column, kind in kinds.items() if kind == "text"]
        self.metadata_ = [column for column, kind in kinds.items() if kind == "metadata"]
        self.arrays_ = {c: _dims(X[c]) for c, kind in kinds.items() if kind == "array"}
        if self.texts_:
            self._fit_texts(X[self.texts_])
        self.categories_ = {
            column: _common(X[column])
            for column in self.metadata_
            if isinstance(X[column].dtype, pd.CategoricalDtype)
        }
        self.scales_: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for column in self.arrays_:
            self.scales_[column] = moments(means_or_nan(X[column], self.arrays_[column]))
        for column in self.metadata_:
            if column not in self.categories_:
                self.scales_[column] = moments(_numbers(X[column]))
        return self.transform(X)

    def transform(self, X: pd.DataFrame) -> tuple[list[np.ndarray], np.ndarray]:
        """Features of any ads, as `fit_transform` returns them."""
        features, present = [], [np.zeros((len(X), 0), dtype=bool)]
        if self.texts_ and len(self.vectorizer_.terms_):
            terms = self.vectorizer_.transform(X[self.texts_])
            features.append(np.asarray(terms @ self.directions_, dtype=np.float32))
            present.append((np.diff(terms.indptr) > 0)[:, None])
        for column, dims in self.arrays_.items():
            means = means_or_nan(X[column], dims)
            features.append(scaled(means, *self.scales_[column]))
            present.append(np.asarray(~np.isnan(means).all(axis=1))[:, None])
        if self.metadata_:
            known = X[self.metadata_].notna().to_numpy()
            features.append(np.hstack([self._metadata(X), (~known).astype(np.float32)]))
            present.append(np.asarray(known.any(axis=1))[:, None])
        return features, np.hstack(present)

    def _fit_texts(self, X: pd.DataFrame) -> None:
        from sklearn.utils.extmath import randomized_svd

        self.vectorizer_ = TextVectorizer(self.spec)
        terms = self.vectorizer_.fit_transform(X)
        n = min(self.directions, *terms.shape)
        if n:
            _, values, directions = randomized_svd(terms, n, random_state=self.random_state)
            # Cells of mean square 1, whatever the number of terms: a network's first steps then
            # are of one size. Directions that tell little stay small.
            size = np.sqrt((values**2).sum() / len(X) / n)
            self.directions_ = (directions.T / size).astype(np.float32)

    def _metadata(self, X: pd.DataFrame) -> np.ndarray:
        columns = [np.zeros((len(X), 0), dtype=np.float32)]
        for column in self.metadata_:
            if column in self.categories_:
                cells = X[column].astype(object).to_numpy()
                equal = [cells == category for category in self.categories_[column]]
                columns += [np.asarray(one, dtype=np.float32)[:, None] for one in equal]
            else:
                columns.append(scaled(_numbers(X[column]), *self.scales_[column]))
        return np.hstack(columns)


def kind_of(column: pd.Series) -> Literal["metadata", "text", "array"]:
    """Tell what a column holds; one without any cell counts as arrays.

    Raises
    ------
    ModelError
        If a cell is of no known kind.
    """
    if is_metadata(column):
        return "metadata"
    for ad, cell in column.items():
        if cell is None:
            continue
        if isinstance(cell, str):
            return "text"
        if isinstance(cell, np.ndarray) and cell.ndim == 2:
            return "text" if cell.dtype == np.int64 else "array"
        raise ModelError(
            f"Ad {ad!r}, column {column.name!r}: {type(cell).__name__} is neither a text nor an "
            "array of shape (time, dims). A missing array must be None."
        )
    return "array"  # of which no ad has any


def _dims(column: pd.Series) -> int:
    return next((cell.shape[1] for cell in column if cell is not None), 0)


def _numbers(column: pd.Series) -> np.ndarray:
    return numbers(column, np.float64)[:, None]


def _common(column: pd.Series) -> list[object]:
    counts = frequencies(column)
    return sorted((category for category, n in counts.items() if n >= RARE), key=str)


def moments(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread of each column where it is known; a constant one gets an infinite spread."""
    known = columns[~np.isnan(columns).all(axis=1)].astype(np.float64)
    if not len(known):
        return np.zeros(columns.shape[1]), np.full(columns.shape[1], np.inf)
    mean, spread = known.mean(axis=0), known.std(axis=0)
    return mean, np.where(spread > 1e-9 * (1 + np.abs(mean)), spread, np.inf)


def scaled(columns: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Deviations from the mean in spreads, float32, at most `SPREADS`; 0 where NaN or constant."""
    found = np.nan_to_num((columns - mean) / spread)
    return np.clip(found, -SPREADS, SPREADS).astype(np.float32)
