"""The plain mean: what every other meta-learner has to beat."""

import numpy as np

from competition.level2.base import Ads, FoldwiseLearner
from competition.level2.registry import meta_learner


@meta_learner("mean")
class Mean(FoldwiseLearner):
    """Mean of the level-1 probabilities; nothing is learned."""

    complexity = 1

    def _fit_predict(
        self, train: Ads, labels: np.ndarray, asked: Ads, n_threads: int
    ) -> np.ndarray:
        return asked.probabilities.mean(axis=1)
