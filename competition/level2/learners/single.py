"""The best level-1 model alone: what every stack has to beat."""

import numpy as np

from competition.evaluation.chosen_metric import metric_of
from competition.level2.base import MetaLearner
from competition.level2.components.logits import enough
from competition.level2.components.scale import to_reference
from competition.level2.data import Ads, StackData
from competition.level2.registry import meta_learner


@meta_learner("single")
class Single(MetaLearner):
    """The level-1 model with the highest score on the training ads; of equal ones, the first.

    The score is GAP, or the metric of the data.

    With a few dozen ads little more than this choice can be learned, and a model that is far better
    than the others is best left alone. Where no training ad has a tag, it is the first model.

    Folds may choose different models, so each is brought to the scale of the mean of all models,
    in which the order of its scores stays.
    """

    complexity = 0
    sees_all = True

    def _fit(self, data: StackData) -> None:
        self.model_ = 0
        if data.labels.any():
            models = data.ads.probabilities.swapaxes(0, 1)
            metric = metric_of(data.metric)
            scores = [metric(data.labels, model, data.top_k) for model in models]
            self.model_ = int(np.argmax(scores))
        some = data.ads.read(enough(len(data.ads)))
        self.scale_ = to_reference(some[:, self.model_], some.mean(axis=1))

    def _predict_proba(self, ads: Ads) -> np.ndarray:
        return self.scale_(ads.probabilities[:, self.model_])
