"""Metadata as the bins that they fall into, for linear models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from competition.level1.components.metadata import frequencies, numbers

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

SEEN = 2  # ads of a category that has a feature of its own


class MetadataBins(BaseEstimator):
    """One feature for each bin of a number and for each category: 1 where an ad falls into it.

    A linear model of a number can only rise or fall with it; of its bins it can learn any curve.
    Numbers are cut at quantiles of the training ads. What is missing, and a category of fewer than
    two training ads, has no feature.

    Parameters
    ----------
    bins : int
        Most bins of a number.

    Attributes
    ----------
    edges_ : dict of str to ndarray
        Where each column of numbers is cut, ascending.
    categories_ : dict of str to list
        What each column of categories may hold, the commonest first.
    """

    def __init__(self, bins: int = 10) -> None:
        self.bins = bins

    def fit(self, X: pd.DataFrame) -> Self:
        """Learn bins and categories of training ads.

        Parameters
        ----------
        X : DataFrame of shape (n_ads, n_columns)
            Numbers, bool or categories.
        """
        self.edges_: dict[str, np.ndarray] = {}
        self.categories_: dict[str, list[object]] = {}
        for name in X.columns:
            if isinstance(X[name].dtype, pd.CategoricalDtype):
                counts = frequencies(X[name])
                self.categories_[name] = [one for one, n in counts.items() if n >= SEEN]
            else:
                self.edges_[name] = _quantiles(numbers(X[name], np.float64), self.bins)
        return self

    def transform(self, X: pd.DataFrame) -> csr_matrix:
        """Return the bins of ads: (n_ads, n_features), float32."""
        from scipy.sparse import csr_matrix

        found, n_features = [np.empty((len(X), 0), dtype=np.int64)], 0
        for name in X.columns:
            places, n_places = self._places(X[name])
            found.append(np.where(places < 0, -1, places + n_features)[:, None])
            n_features += n_places
        table = np.hstack(found)
        there = table >= 0
        starts = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
        ones = np.ones(starts[-1], dtype=np.float32)
        return csr_matrix((ones, table[there], starts), shape=(len(X), n_features))

    def _places(self, column: pd.Series) -> tuple[np.ndarray, int]:
        """Return the bin of each ad, -1 where it has none, and how many there are."""
        name = str(column.name)
        if name in self.categories_:
            place = {one: number for number, one in enumerate(self.categories_[name])}
            cells = column.astype(object)
            return np.array([place.get(cell, -1) for cell in cells], dtype=np.int64), len(place)
        values, edges = numbers(column, np.float64), self.edges_[name]
        places = np.searchsorted(edges, values, side="right")
        return np.where(np.isnan(values), -1, places), len(edges) + 1


def _quantiles(values: np.ndarray, bins: int) -> np.ndarray:
    """Cuts between bins of about as many ads each; equal values are in one bin."""
    there = values[~np.isnan(values)]
    if not len(there):
        return np.empty(0)
    cuts = np.quantile(there, np.linspace(0, 1, bins + 1)[1:-1], method="higher")
    return np.unique(cuts[cuts > there.min()])
