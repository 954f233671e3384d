"""Cross-fitting: every fold as predicted by a meta-learner that was fitted to the other folds."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from competition.level2.base import MetaLearner
from competition.level2.data import Ads, StackData, check_folds, check_range


@dataclass(frozen=True, eq=False)
class StackPredictions:
    """What a cross-fitted meta-learner, or a choice among several, predicts.

    Attributes
    ----------
    oof : ndarray of shape (n_train, n_tags), dtype float32
        Each training ad as predicted by the meta-learner of the other folds.
    fold_test : ndarray of shape (n_folds, n_test, n_tags), dtype float32
        The test ads as each fold's meta-learner predicts them, folds ascending.
    """

    oof: np.ndarray
    fold_test: np.ndarray


@dataclass(frozen=True, eq=False)
class StackOutput(StackPredictions):
    """What a cross-fitted meta-learner predicts, with what was fitted.

    Attributes
    ----------
    learners : tuple of MetaLearner
        The fitted meta-learner of each fold, folds ascending.
    """

    learners: tuple[MetaLearner, ...]

    @property
    def corrections(self) -> list[float]:
        """Share of its correction that each fold's meta-learner uses; empty if it has none."""
        shares = [learner.correction for learner in self.learners]
        return [share for share in shares if share is not None]


def cross_fit(
    learner: MetaLearner,
    data: StackData,
    test: Ads | None = None,
    each: Callable[[int], None] | None = None,
) -> StackOutput:
    """Predict every fold by a meta-learner fitted to the other folds, and the test ads by each.

    What is fitted for a fold is given the other folds as they are, so that it can cross-fit among
    them in its turn.

    Parameters
    ----------
    learner : MetaLearner
        It is copied and stays as it is.
    data : StackData
    test : Ads or None
        None: there are no test ads.
    each : callable or None
        Hears after each fold how many are done.

    Raises
    ------
    ModelError
        If there are fewer than two folds, or a level-1 probability is not a number between 0
        and 1.
    """
    check_folds(data)
    test = data.ads.take(np.arange(0)) if test is None else test
    check_range(data.ads, "training", data.models)
    check_range(test, "test", data.models)
    n_ads, n_tags = data.labels.shape
    oof = np.empty((n_ads, n_tags), dtype=np.float32)
    fold_test = np.empty((len(data.folds), len(test), n_tags), dtype=np.float32)
    learners = []
    for place, fold in enumerate(data.folds):
        held_out = np.flatnonzero(data.fold == fold)
        fitted = learner.for_fold(place).fit(data.without_fold(fold))
        oof[held_out] = fitted.predict_proba(data.ads.take(held_out))
        fold_test[place] = fitted.predict_proba(test)
        learners.append(fitted)
        if each is not None:
            each(place + 1)
    return StackOutput(oof, fold_test, tuple(learners))
