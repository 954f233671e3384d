"""The best level-1 model alone: what every stack has to beat."""

import numpy as np

from competition.evaluation.metrics import gap
from competition.level2.base import Ads, FoldwiseLearner
from competition.level2.registry import meta_learner


@meta_learner("single")
class Single(FoldwiseLearner):
    """The level-1 model with the highest GAP on the training ads; of equal ones, the first.

    With a few dozen ads little more than this choice can be learned, and a model that is far better
    than the others is best left alone. Where no training ad has a tag, it is the first model.
    """

    complexity = 0

    def _fit_predict(
        self, train: Ads, labels: np.ndarray, asked: Ads, n_threads: int
    ) -> np.ndarray:
        if not labels.any():
            return asked.probabilities[:, 0]
        gaps = [gap(labels, model) for model in train.probabilities.swapaxes(0, 1)]
        return asked.probabilities[:, int(np.argmax(gaps))]
