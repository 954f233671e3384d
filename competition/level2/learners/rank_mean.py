"""The mean of ranks: models of different scale made comparable."""

import numpy as np

from competition.level2.base import MetaLearner
from competition.level2.data import Ads, StackData
from competition.level2.registry import meta_learner

MOST = 1_000_000  # (ad, tag) cells of a model; more would tell no more


@meta_learner("rank_mean")
class RankMean(MetaLearner):
    """Mean over models of where a probability ranks among all that the model gave in training.

    The ranks of a model go through one list of all its (ad, tag) cells, as GAP does: ranks within a
    tag would raise a rare tag to the level of a common one. A mean rank is then given as the mean
    probability of the same standing in training, which changes no order: folds, and other
    meta-learners, so stay on one scale.
    """

    complexity = 1

    def _fit(self, data: StackData) -> None:
        probabilities = data.ads.probabilities
        self.ordered_ = [
            _thinned(np.sort(probabilities[:, model], axis=None))
            for model in range(len(data.models))
        ]
        self.ranks_ = _thinned(np.sort(self._mean_ranks(probabilities), axis=None))
        self.standing_ = _thinned(np.sort(probabilities.mean(axis=1), axis=None))

    def _predict_proba(self, ads: Ads) -> np.ndarray:
        return np.interp(self._mean_ranks(ads.probabilities), self.ranks_, self.standing_)

    def _mean_ranks(self, probabilities: np.ndarray) -> np.ndarray:
        ranks = [
            pooled_rank(probabilities[:, model], ordered)
            for model, ordered in enumerate(self.ordered_)
        ]
        return np.mean(ranks, axis=0)


def _thinned(ordered: np.ndarray) -> np.ndarray:
    """Return sorted values, or a million of them at even distances if there are more."""
    if len(ordered) <= MOST:
        return ordered
    return ordered[np.linspace(0, len(ordered) - 1, MOST).astype(np.intp)]


def pooled_rank(values: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    """Share of sorted values that lies below each value; equal ones count half.

    Returns an array of the shape of `values`, float64, between 0 and 1.
    """
    order = np.argsort(values, axis=None)
    rising = values.ravel()[order]  # several times faster to look up than in any other order
    below = np.searchsorted(ordered, rising, side="left")
    ranks = np.empty(values.size)
    ranks[order] = (below + np.searchsorted(ordered, rising, side="right")) / (2 * len(ordered))
    return ranks.reshape(values.shape)
