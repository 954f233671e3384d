"""The mean of logits: the geometric mean of odds."""

import numpy as np

from competition.level2.base import MetaLearner
from competition.level2.components.logits import to_logits
from competition.level2.data import Ads, StackData
from competition.level2.registry import meta_learner

# Nothing is learned here that could rein in a model that is sure and wrong; the floor has to. It
# lies far below the scores that GAP weighs, so that it makes next to no ties among them.
FLOOR = 1e-4


@meta_learner("logit_mean")
class LogitMean(MetaLearner):
    """Sigmoid of the mean level-1 logit; nothing is learned.

    A model that is sure weighs more than in the mean of probabilities. These are held to
    [1e-4, 1 - 1e-4].
    """

    complexity = 1
    sees_all = True

    def _fit(self, data: StackData) -> None:
        pass

    def _predict_proba(self, ads: Ads) -> np.ndarray:
        from scipy.special import expit

        return expit(to_logits(ads.probabilities, FLOOR).mean(axis=1))
