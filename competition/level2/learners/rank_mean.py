"""The mean of ranks: models of different scale made comparable."""

import numpy as np

from competition.level2.base import Ads, FoldwiseLearner
from competition.level2.registry import meta_learner


@meta_learner("rank_mean")
class RankMean(FoldwiseLearner):
    """Mean over models of where a probability ranks among all that the model gave in training.

    The ranks of a model go through one list of all its (ad, tag) cells, as GAP does: ranks within a
    tag would raise a rare tag to the level of a common one. A mean rank is then given as the mean
    probability of the same standing in training, which changes no order: folds, and other
    meta-learners, so stay on one scale.
    """

    complexity = 1

    def _fit_predict(
        self, train: Ads, labels: np.ndarray, asked: Ads, n_threads: int
    ) -> np.ndarray:
        known, ranks = (_mean_ranks(ads, train) for ads in (train, asked))
        probabilities = np.sort(train.probabilities.mean(axis=1), axis=None)
        return np.interp(ranks, np.sort(known, axis=None), probabilities)


def _mean_ranks(ads: Ads, among: Ads) -> np.ndarray:
    ranks = [
        pooled_rank(ads.probabilities[:, m], among.probabilities[:, m].ravel())
        for m in range(ads.probabilities.shape[1])
    ]
    return np.mean(ranks, axis=0)


def pooled_rank(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Share of `among` that lies below each value; equal ones count half.

    Returns an array of the shape of `values`, float64, between 0 and 1.
    """
    ordered = np.sort(among)
    below = np.searchsorted(ordered, values, side="left")
    return (below + np.searchsorted(ordered, values, side="right")) / (2 * len(ordered))
