"""Texts as weighted terms, and what the linear models over them share."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from competition.level1.base import Level1Model
from competition.level1.components.calibration import cross_validated_decisions, fit_sigmoid
from competition.text.terms import Analyzer, NgramRange, TermsSpec, extract_terms
from competition.utils.errors import ModelError
from competition.utils.parameters import Count, Positive, Seed

if TYPE_CHECKING:
    from optuna import Trial
    from scipy.sparse import csr_matrix


class TextVectorizer(BaseEstimator):
    """Term frequency times inverse document frequency over all texts of an ad.

    A cell is a text or its counted terms (`competition.text.terms.extract_terms`); both give
    the same numbers. An ad's columns are counted together, which ranks better than a vocabulary for
    each: what is read and what is heard of an ad are the same words. The weight of a term is
    ``(1 + ln count) * (1 + ln((1 + n) / (1 + df)))``, scaled so that an ad's weights have length 1.
    An ad without any known term is a row of zeros.

    Parameters
    ----------
    spec : TermsSpec
        How a text is analysed; counted terms must have been made with the same.
    min_df : int
        Terms of fewer training ads than this are ignored.
    max_terms : int or None
        Most terms that are kept, the commonest.

    Attributes
    ----------
    terms_ : ndarray of shape (n_features,), dtype int64
        Hashes of the known terms, ascending. There may be none.
    features_ : ndarray of shape (n_features,), dtype int32
        The column of each, the commonest term's first: the weights that a solver needs at nearly
        every ad then lie side by side.
    idf_ : ndarray of shape (n_features,), dtype float32
        Inverse document frequency by column.
    """

    def __init__(
        self, spec: TermsSpec | None = None, min_df: int = 2, max_terms: int | None = None
    ) -> None:
        self.spec = spec
        self.min_df = min_df
        self.max_terms = max_terms

    def fit(self, X: pd.DataFrame) -> Self:
        """Learn the terms of training ads and their document frequencies.

        Parameters
        ----------
        X : DataFrame of shape (n_ads, n_columns)
            Every cell a str, or an int64 array of shape (n_terms, 2).

        Raises
        ------
        ModelError
            If a cell is neither.
        """
        self.fit_transform(X)
        return self

    def fit_transform(self, X: pd.DataFrame) -> csr_matrix:
        """Do both, looking every term up once."""
        terms, counts, rows = self._count(X)
        terms, features = np.unique(terms, return_inverse=True)
        table = _table(counts, rows, features, (len(X), len(terms)))
        frequency = table.getnnz(axis=0)
        kept = np.flatnonzero(frequency >= self.min_df)
        order = kept[np.argsort(-frequency[kept], kind="stable")][: self.max_terms]
        kept = np.sort(order)
        self.terms_ = terms[kept]
        self.features_ = np.empty(len(kept), dtype=np.int32)
        self.features_[np.searchsorted(kept, order)] = np.arange(len(kept), dtype=np.int32)
        self.idf_ = (1 + np.log((1 + len(X)) / (1 + frequency[order]))).astype(np.float32)
        return self._weigh(table[:, order])

    def transform(self, X: pd.DataFrame) -> csr_matrix:
        """Weigh the terms of ads: (n_ads, n_features), float32; unseen terms are left out."""
        terms, counts, rows = self._count(X)
        place = np.searchsorted(self.terms_, terms)
        known = np.zeros(len(place), dtype=bool)
        inside = place < len(self.terms_)
        known[inside] = self.terms_[place[inside]] == terms[inside]
        features = self.features_[place[known]]
        shape = (len(X), len(self.terms_))
        return self._weigh(_table(counts[known], rows[known], features, shape))

    def _count(self, X: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Terms, counts and row of each cell's terms, one column after the other."""
        cells = [self._counted(X[column]) for column in X.columns]
        lengths = [len(cell) for column in cells for cell in column]
        rows = np.repeat(np.tile(np.arange(len(X)), len(cells)), lengths)
        empty = np.empty((0, 2), dtype=np.int64)
        both = np.concatenate([empty, *(cell for column in cells for cell in column)])
        return np.ascontiguousarray(both[:, 0]), both[:, 1].astype(np.float32), rows

    def _counted(self, cells: pd.Series) -> list[np.ndarray]:
        texts: list[str] = []
        for ad, cell in cells.items():
            if isinstance(cell, str):
                texts.append(cell)
            elif not (isinstance(cell, np.ndarray) and cell.ndim == 2 and cell.shape[1] == 2):
                raise ModelError(
                    f"Ad {ad!r}, column {cells.name!r}: {type(cell).__name__} is neither a text "
                    "nor counted terms. A missing text must be an empty string."
                )
        analysed = iter(extract_terms(texts, self.spec or TermsSpec()))
        return [next(analysed) if isinstance(cell, str) else cell for cell in cells]

    def _weigh(self, table: csr_matrix) -> csr_matrix:
        """Turn counts into weights, in place."""
        table.data = (1 + np.log(table.data)) * self.idf_[table.indices]
        lengths = np.sqrt(np.asarray(table.multiply(table).sum(axis=1))).ravel()
        table.data /= np.repeat(lengths, np.diff(table.indptr)).astype(np.float32)
        return table


def _table(
    counts: np.ndarray, rows: np.ndarray, features: np.ndarray, shape: tuple[int, int]
) -> csr_matrix:
    """Ads x features; a term that several columns of an ad have is counted together."""
    from scipy.sparse import csr_matrix

    return csr_matrix((counts, (rows, features)), shape=shape)


class LinearTextModel(Level1Model):
    """Linear classifiers over weighted terms, calibrated by sigmoids.

    An ad without any known term gets the prior of each tag.

    A subclass writes a constructor, for its own default of `C`, and `_solve`.

    Parameters
    ----------
    C : float
        Weight of the loss against the regularisation.
    analyzer : {"word", "char", "both"}
        What texts are made of.
    ngram_range : tuple of int, optional
        Shortest and longest n-gram, of both those of characters; the analyzer's default if not
        given.
    min_df : int
        Terms of fewer training ads than this are ignored.
    random_state : int
        Seeds the solver and the inner folds that the sigmoids are fitted on.
    """

    C_range: ClassVar[tuple[float, float]]  # that `tune` tries

    def __init__(
        self,
        C: Positive,
        analyzer: Analyzer = "word",
        ngram_range: NgramRange | None = None,
        min_df: Count = 2,
        random_state: Seed = 0,
    ) -> None:
        self.C = C
        self.analyzer = analyzer
        self.ngram_range = ngram_range
        self.min_df = min_df
        self.random_state = random_state

    @classmethod
    def search_space(cls, trial: Trial) -> dict[str, Any]:
        """What `tune` tries; words or characters are a choice between models, not a value."""
        return {
            "C": trial.suggest_float("C", *cls.C_range, log=True),
            "min_df": trial.suggest_int("min_df", 1, 8),
        }

    @property
    def max_terms(self) -> int | None:
        """Terms that are kept, the commonest; None: all."""
        return None

    @property
    def text_terms(self) -> TermsSpec:
        """How to count the terms that may take the place of texts in `X`."""
        return TermsSpec.of(self.analyzer, self.ngram_range)

    def _fit(self, X: pd.DataFrame, Y: np.ndarray) -> None:
        features = self._learn_features(X)
        decisions = cross_validated_decisions(self._solve, features, Y, self.random_state)
        self.sigmoid_ = fit_sigmoid(decisions, Y)
        self.coef_, self.intercept_ = self._solve(features, Y)

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        features = self._features(X)
        probabilities = self.sigmoid_(features @ self.coef_ + self.intercept_)
        # The intercept alone would take a missing text for one that lacks every telling term.
        probabilities[np.diff(features.indptr) == 0] = self.prior_[self.learnable_]
        return probabilities

    def _learn_features(self, X: pd.DataFrame) -> csr_matrix:
        """Learn from training ads what the classifiers see of an ad, and return it of them."""
        self.vectorizer_ = TextVectorizer(self.text_terms, self.min_df, self.max_terms)
        return self.vectorizer_.fit_transform(X)

    def _features(self, X: pd.DataFrame) -> csr_matrix:
        """What the classifiers see of ads, (n_ads, n_features), float32."""
        return self.vectorizer_.transform(X)

    @abstractmethod
    def _solve(self, X: csr_matrix, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (n_features, n_tags) and intercepts (n_tags,) from weighted terms."""
