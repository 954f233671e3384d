"""Any scikit-learn classifier as a level-1 model."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from competition.level1.base import Level1Model


class Classifier(Level1Model):
    """A scikit-learn classifier as a level-1 model.

    Parameters
    ----------
    classifier : estimator
        Has `fit` and `predict_proba`; it gets `X` as the run has it, and those tags that some
        training ads carry and others do not. Of several tags it may return one array of shape
        (n_ads, n_tags), or a list with the probabilities of both classes for each.
    """

    def __init__(self, classifier: Any) -> None:
        self.classifier = classifier

    def _fit(self, X: pd.DataFrame, Y: np.ndarray) -> None:
        # One tag is a binary target: not every classifier takes it as a column.
        unfitted = clone(self.classifier, safe=False)
        self.fitted_ = unfitted.fit(X, Y if Y.shape[1] > 1 else Y[:, 0])

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        given = self.fitted_.predict_proba(X)
        if isinstance(given, list):
            return np.column_stack([both[:, 1] for both in given])
        return given if self.learnable_.sum() > 1 else given[:, 1:]
