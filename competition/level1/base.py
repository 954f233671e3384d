"""What the level-1 models share: checks, and tags that nothing can be learned about."""

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from competition.utils.errors import ModelError


class Level1Model(BaseEstimator, ABC):
    """A multilabel classifier over a DataFrame of inputs.

    The life of a model: the constructor stores its parameters; `fit` checks its arguments, sets
    aside the tags that are always or never present, and hands the rest to `_fit`; `predict_proba`
    asks `_predict_proba` for those tags and fills in the prior of the others. A subclass writes
    `_fit` and `_predict_proba` and never meets a tag with a single value.

    Where the constructor has the parameters ``random_state`` and ``n_jobs``, cross-fitting sets
    the seed and the number of threads through them.

    Attributes
    ----------
    prior_ : ndarray of shape (n_tags,), dtype float32
        Share of training ads that carry each tag.
    learnable_ : ndarray of shape (n_tags,), dtype bool
        Tags that some training ads carry and others do not.
    columns_ : list of str
        Columns of the training inputs.
    """

    def fit(self, X: pd.DataFrame, Y: np.ndarray) -> Self:
        """Learn from training ads.

        Parameters
        ----------
        X : DataFrame of shape (n_ads, n_columns)
            One column per input: text as str (empty where missing) or, for models that have
            ``text_terms``, as counted terms; metadata as numbers or categories; arrays as one
            ndarray per cell.
        Y : ndarray of shape (n_ads, n_tags), dtype uint8
            1 where the ad carries the tag.
        """
        name = type(self).__name__
        Y = np.asarray(Y)
        if Y.ndim != 2:
            raise ModelError(f"{name}.fit needs labels of shape (n_ads, n_tags), got {Y.shape}.")
        if len(X) != len(Y):
            raise ModelError(f"{name}.fit got {len(X)} ads but {len(Y)} rows of labels.")
        if len(Y) == 0:
            raise ModelError(f"{name}.fit got no ads.")
        if not np.isin(Y, (0, 1)).all():
            raise ModelError(f"{name}.fit needs labels that are 0 or 1.")
        self.columns_ = list(X.columns)
        self.prior_ = Y.mean(axis=0).astype(np.float32)
        self.learnable_ = (self.prior_ > 0) & (self.prior_ < 1)
        if self.learnable_.any():
            self._fit(X, np.ascontiguousarray(Y[:, self.learnable_], dtype=np.uint8))
        return self

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Probability of every tag for every ad: (n_ads, n_tags), float32."""
        if not hasattr(self, "prior_"):
            raise ModelError(f"{type(self).__name__} must be fitted before it predicts.")
        if list(X.columns) != self.columns_:
            raise ModelError(
                f"{type(self).__name__} was fitted on the columns {self.columns_}, "
                f"got {list(X.columns)}."
            )
        probabilities = np.tile(self.prior_, (len(X), 1))
        if self.learnable_.any() and len(X):
            probabilities[:, self.learnable_] = self._predict_proba(X)
        return probabilities

    @abstractmethod
    def _fit(self, X: pd.DataFrame, Y: np.ndarray) -> None:
        """Learn tags that all have positives and negatives; Y is uint8 (n_ads, n_learnable)."""

    @abstractmethod
    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Probabilities of those tags, (n_ads, n_learnable)."""
