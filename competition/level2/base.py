"""What goes into a meta-learner, what comes out, and what all of them share."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator


@dataclass(frozen=True, eq=False)
class StackInput:
    """What a meta-learner may see.

    Attributes
    ----------
    models : tuple of str
        Names of the level-1 models.
    train : ndarray of shape (n_train, n_models, n_tags), dtype float32
        Out-of-fold probabilities: each ad as predicted by models that never saw it.
    test : ndarray of shape (n_test, n_models, n_tags), dtype float32
        Test probabilities, mean over folds.
    train_facts, test_facts : DataFrame of shape (n_ads, n_facts)
        Metadata as the dataset gives it: numbers or categories, NA where missing.
    train_missing, test_missing : ndarray of shape (n_ads, n_inputs), dtype bool
        True where an ad lacks an input.
    labels : ndarray of shape (n_train, n_tags), dtype uint8
    fold : ndarray of shape (n_train,), dtype int
        The fold that each training ad is held out in.
    """

    models: tuple[str, ...]
    train: np.ndarray
    test: np.ndarray
    train_facts: pd.DataFrame
    test_facts: pd.DataFrame
    train_missing: np.ndarray
    test_missing: np.ndarray
    labels: np.ndarray
    fold: np.ndarray

    @property
    def folds(self) -> list[int]:
        """Fold numbers, ascending."""
        return sorted(int(k) for k in np.unique(self.fold))


@dataclass(frozen=True, eq=False)
class StackOutput:
    """What a meta-learner predicts.

    Attributes
    ----------
    oof : ndarray of shape (n_train, n_tags), dtype float32
        Each training ad as predicted by the meta-learner of the other folds.
    fold_test : ndarray of shape (n_folds, n_test, n_tags), dtype float32
        The test ads as each fold's meta-learner predicts them, folds ascending.
    """

    oof: np.ndarray
    fold_test: np.ndarray


class MetaLearner(BaseEstimator, ABC):
    """A model over the predictions of the level-1 models.

    The constructor stores parameters. `cross_fit` trains one meta-learner per fold on the ads of
    the other folds; nothing (scaling, choice of epochs, averaging weights) is learned with the ads
    that it then predicts.
    """

    @abstractmethod
    def cross_fit(self, data: StackInput, n_jobs: int = 1) -> StackOutput:
        """Predict every fold by a meta-learner trained on the other folds, and the test ads."""
