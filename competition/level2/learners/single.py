"""The best level-1 model alone: what every stack has to beat."""

import numpy as np

from competition.evaluation.metrics import gap
from competition.level2.base import MetaLearner
from competition.level2.data import Ads, StackData
from competition.level2.registry import meta_learner


@meta_learner("single")
class Single(MetaLearner):
    """The level-1 model with the highest GAP on the training ads; of equal ones, the first.

    With a few dozen ads little more than this choice can be learned, and a model that is far better
    than the others is best left alone. Where no training ad has a tag, it is the first model.
    """

    complexity = 0

    def _fit(self, data: StackData) -> None:
        self.model_ = 0
        if data.labels.any():
            models = data.ads.probabilities.swapaxes(0, 1)
            gaps = [gap(data.labels, model, data.top_k) for model in models]
            self.model_ = int(np.argmax(gaps))

    def _predict_proba(self, ads: Ads) -> np.ndarray:
        return ads.probabilities[:, self.model_]
