"""The plain mean: what every other meta-learner has to beat."""

import numpy as np

from competition.level2.base import MetaLearner
from competition.level2.data import Ads, StackData
from competition.level2.registry import meta_learner


@meta_learner("mean")
class Mean(MetaLearner):
    """Mean of the level-1 probabilities; nothing is learned."""

    complexity = 1
    sees_all = True

    def _fit(self, data: StackData) -> None:
        pass

    def _predict_proba(self, ads: Ads) -> np.ndarray:
        return ads.probabilities.mean(axis=1)
