"""Texts and metadata as a few dozen dense features, for models that cannot take sparse terms.

A tree sees one feature at a time, and no single word of a vocabulary tells much. So the terms of an
ad are summed up by how much it reads like the training ads of each tag: one Rocchio score per tag.

A score that knew the label of the very ad it describes would be trusted far too much. Training
ads are therefore scored by centroids of other training ads; ads to be predicted, by centroids of
all training ads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from competition.level1.components.metadata import frequencies, is_metadata, numbers
from competition.level1.components.text import TextVectorizer
from competition.text.terms import TermsSpec
from competition.utils.errors import ModelError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

REDUCED_TERMS = TermsSpec("word", (1, 1))  # pairs of words score no better
INNER_FOLDS = 10  # of the training ads; each is scored by centroids of the others
SHRINKAGE = 5.0  # ads without news that every centroid is averaged with


class ReducedFeatures(BaseEstimator):
    """A dense matrix of texts and metadata.

    Columns, in this order: metadata (numbers as they are; categories as their rank by frequency
    among the training ads), then, where there are texts, one score per tag. A missing value and a
    category that no training ad has are NaN; an ad without text scores 0.

    The features of the training ads are not those that `transform` gives for the same ads: their
    scores are cross-fitted. Hence there is `fit_transform` but no ``fit``.

    Parameters
    ----------
    spec : TermsSpec
        How texts are analysed.
    min_df : int
        Terms of fewer training ads than this are ignored.
    random_state : int
        Seeds who is in which inner fold.
    """

    def __init__(self, spec: TermsSpec, min_df: int = 2, random_state: int = 0) -> None:
        self.spec = spec
        self.min_df = min_df
        self.random_state = random_state

    def fit_transform(self, X: pd.DataFrame, Y: np.ndarray) -> np.ndarray:
        """Learn the features from training ads and return those of the training ads.

        Parameters
        ----------
        X : DataFrame of shape (n_ads, n_columns)
            Numeric, bool and category columns are metadata; all others are texts or their counted
            terms.
        Y : ndarray of shape (n_ads, n_tags), dtype uint8

        Returns
        -------
        ndarray of shape (n_ads, n_features), dtype float32

        Raises
        ------
        ModelError
            If there is no column, or one that is neither text nor metadata.
        """
        if X.shape[1] == 0:
            raise ModelError("There is neither text nor metadata to learn from: X has no columns.")
        self.text_columns_ = [column for column in X.columns if not is_metadata(X[column])]
        self.codes_ = {
            column: _category_codes(X[column])
            for column in X.columns
            if isinstance(X[column].dtype, pd.CategoricalDtype)
        }
        features = [self._metadata(X)]
        if self.text_columns_:
            self.vectorizer_ = TextVectorizer(self.spec, min_df=self.min_df)
            terms = self.vectorizer_.fit_transform(X[self.text_columns_])
            self.centroids_ = _centroids(terms, Y)
            features.append(_cross_fitted_scores(terms, Y, self.random_state))
        return np.hstack(features)

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Features of ads that are to be predicted: (n_ads, n_features), float32."""
        features = [self._metadata(X)]
        if self.text_columns_:
            terms = self.vectorizer_.transform(X[self.text_columns_])
            features.append(terms @ self.centroids_)
        return np.hstack(features)

    def _metadata(self, X: pd.DataFrame) -> np.ndarray:
        columns = [
            numbers(self._ranks(X[column]), np.float32)
            for column in X.columns
            if column not in self.text_columns_
        ]
        return np.column_stack([np.empty((len(X), 0), dtype=np.float32), *columns])

    def _ranks(self, column: pd.Series) -> pd.Series:
        """Categories by their ranks; numbers as they are."""
        if column.name not in self.codes_:
            return column
        return column.astype(object).map(self.codes_[column.name]).astype(np.float32)


def _category_codes(column: pd.Series) -> dict[Any, int]:
    """Rank the categories that occur by frequency: one split parts the common from the rare."""
    return {category: code for code, category in enumerate(frequencies(column))}


def _centroids(terms: csr_matrix, Y: np.ndarray) -> np.ndarray:
    """Direction from the mean of all ads to that of each tag's ads: (n_terms, n_tags), float32.

    Rocchio's formula with weights 1 and 1 (J. J. Rocchio, Relevance feedback in information
    retrieval, 1971), times n / (n + SHRINKAGE) for a tag of n ads, so that the few ads of a rare
    tag do not outshout the many of a common one.
    """
    labels = Y.astype(np.float32)
    n_positives = labels.sum(axis=0)
    mean = np.asarray(terms.mean(axis=0), dtype=np.float32).reshape(-1, 1)
    return (terms.T @ labels - mean * n_positives) / (n_positives + np.float32(SHRINKAGE))


def _cross_fitted_scores(terms: csr_matrix, Y: np.ndarray, random_state: int) -> np.ndarray:
    """Score ads by the centroids of ads outside their inner folds: (n_ads, n_tags), float32."""
    fold = np.random.default_rng(random_state).permutation(np.arange(len(Y)) % INNER_FOLDS)
    scores = np.zeros(Y.shape, dtype=np.float32)
    for k in range(min(INNER_FOLDS, len(Y))):
        inside = fold == k
        if not inside.all():
            scores[inside] = terms[inside] @ _centroids(terms[~inside], Y[~inside])
    return scores
