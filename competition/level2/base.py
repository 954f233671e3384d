"""What goes into a meta-learner, what comes out, and what all of them share."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.base import BaseEstimator

from competition.level2.components.logits import check_range
from competition.utils.errors import ModelError


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
    train_metadata, test_metadata : DataFrame of shape (n_ads, n_metadata)
        Metadata as the dataset gives it: numbers or categories, NA where missing.
    train_missing, test_missing : ndarray of shape (n_ads, n_inputs), dtype bool
        True where an ad lacks an input.
    reads : ndarray of shape (n_models, n_inputs), dtype bool
        Which inputs each model reads; none where that is not known.
    labels : ndarray of shape (n_train, n_tags), dtype uint8
    fold : ndarray of shape (n_train,), dtype int
        The fold that each training ad is held out in.
    """

    models: tuple[str, ...]
    train: np.ndarray
    test: np.ndarray
    train_metadata: pd.DataFrame
    test_metadata: pd.DataFrame
    train_missing: np.ndarray
    test_missing: np.ndarray
    reads: np.ndarray
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

    Attributes
    ----------
    complexity : int
        How much it may learn: 0 for one model alone, 1 for a mean of all, 2 for a weighted mean, 3
        for a shrunken linear stack, 4 for an unshrunken one, 5 for a stack that bends. Of
        candidates that do about equally well, the gate takes one of the lowest.
    search_space : callable or None
        What `tune` tries, from an Optuna trial to parameters: a static method of the subclass.
    """

    complexity: ClassVar[int] = 5
    search_space: ClassVar[Callable[..., dict[str, Any]] | None] = None

    @abstractmethod
    def cross_fit(self, data: StackInput, n_jobs: int = 1) -> StackOutput:
        """Predict every fold by a meta-learner trained on the other folds, and the test ads."""


@dataclass(frozen=True, eq=False)
class Ads:
    """What is known of some ads, but for their labels.

    Attributes
    ----------
    probabilities : ndarray of shape (n_ads, n_models, n_tags), dtype float32
        Level-1 predictions, each between 0 and 1.
    metadata : DataFrame of shape (n_ads, n_metadata)
        Numbers or categories, NA where missing.
    missing : ndarray of shape (n_ads, n_inputs), dtype bool
        True where an ad lacks an input.
    """

    probabilities: np.ndarray
    metadata: pd.DataFrame
    missing: np.ndarray

    def __len__(self) -> int:
        return len(self.probabilities)

    def take(self, rows: np.ndarray) -> "Ads":
        """Return the ads at these positions."""
        return Ads(self.probabilities[rows], self.metadata.iloc[rows], self.missing[rows])


class FoldwiseLearner(MetaLearner):
    """A meta-learner that is fitted and asked fold by fold.

    A child writes `_fit_predict` alone. It is handed the labels of the training ads and of no
    others, so that it cannot learn from those it is asked about; it must not let one of these
    change the prediction of another.
    """

    def cross_fit(self, data: StackInput, n_jobs: int = 1) -> StackOutput:
        """Predict every fold by a meta-learner fitted on the other folds, and the test ads.

        Raises
        ------
        ModelError
            If there are fewer than two folds, or a level-1 probability is not a number between 0
            and 1.
        """
        check_folds(data)
        ads = ads_of(data)

        def predict(_: int, training: np.ndarray, asked: np.ndarray) -> np.ndarray:
            return self._fit_predict(
                ads.take(training), data.labels[training], ads.take(asked), effective_n_jobs(n_jobs)
            )

        return fold_by_fold(data, predict)

    @abstractmethod
    def _fit_predict(
        self, train: Ads, labels: np.ndarray, asked: Ads, n_threads: int
    ) -> np.ndarray:
        """Fit on `train` and predict `asked`.

        Parameters
        ----------
        train : Ads
        labels : ndarray of shape (len(train), n_tags), dtype uint8
        asked : Ads
            The held-out ads, then the test ads.
        n_threads : int

        Returns
        -------
        ndarray of shape (len(asked), n_tags)
            Between 0 and 1.
        """


def fold_by_fold(
    data: StackInput, predict: Callable[[int, np.ndarray, np.ndarray], np.ndarray], n_jobs: int = 1
) -> StackOutput:
    """Predict every fold and, for every fold, the test ads.

    Parameters
    ----------
    data : StackInput
    predict : callable
        Is given the place of a fold, the positions of its training ads, and those of the ads that
        are asked about (the held-out ads, then the test ads, which are counted on from the last
        training ad); returns probabilities of shape (n_asked, n_tags).
    n_jobs : int
        Folds at a time, each in a thread.
    """
    n_train, n_tags = data.labels.shape
    oof = np.empty((n_train, n_tags), dtype=np.float32)
    fold_test = np.empty((len(data.folds), len(data.test), n_tags), dtype=np.float32)

    def fill(k: int, fold: int) -> None:
        held_out = np.flatnonzero(data.fold == fold)
        asked = np.concatenate([held_out, np.arange(n_train, n_train + len(data.test))])
        predicted = predict(k, np.flatnonzero(data.fold != fold), asked)
        oof[held_out], fold_test[k] = predicted[: len(held_out)], predicted[len(held_out) :]

    Parallel(n_jobs=min(effective_n_jobs(n_jobs), len(data.folds)), prefer="threads")(
        delayed(fill)(k, fold) for k, fold in enumerate(data.folds)
    )
    return StackOutput(oof, fold_test)


def ads_of(data: StackInput) -> Ads:
    """All ads, those of training first.

    Raises
    ------
    ModelError
        If a level-1 probability is not a number between 0 and 1.
    """
    check_range(data)
    return Ads(
        np.concatenate([data.train, data.test]),
        pd.concat([data.train_metadata, data.test_metadata], ignore_index=True),
        np.concatenate([data.train_missing, data.test_missing]),
    )


def check_folds(data: StackInput) -> None:
    """Raise a ModelError if there are fewer than two folds."""
    if len(data.folds) < 2:
        raise ModelError(
            f"A meta-learner needs ads in two folds or more, got the folds {data.folds}. "
            "Make the folds again with n = 2 or more."
        )


def prior_logits(labels: np.ndarray) -> np.ndarray:
    """Log-odds of each tag among the ads, half an ad added to either side.

    Parameters
    ----------
    labels : ndarray of shape (n_ads, n_tags), 0 or 1

    Returns
    -------
    ndarray of shape (n_tags,), dtype float32
    """
    positives = labels.sum(axis=0, dtype=np.float64) + 0.5
    return np.log(positives / (len(labels) + 1 - positives)).astype(np.float32)
