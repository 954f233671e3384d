"""The best level-1 model alone: what every stack has to beat."""

import numpy as np

from competition.evaluation.chosen_metric import looks_at_values, metric_of
from competition.level2.base import MetaLearner
from competition.level2.components.logits import enough
from competition.level2.components.preselection import MANY
from competition.level2.components.scale import to_reference
from competition.level2.data import Ads, StackData
from competition.level2.learners.greedy import candidate_gaps
from competition.level2.registry import meta_learner

ROUNDED = 1e-3  # GAP by `candidate_gaps` lies nearer than this to GAP itself


@meta_learner("single")
class Single(MetaLearner):
    """The level-1 model with the highest score on the training ads; of equal ones, the first.

    The score is GAP, or the metric of the data.

    With a few dozen ads little more than this choice can be learned, and a model that is far better
    than the others is best left alone. Where no training ad has a tag, it is the first model.

    Folds may choose different models, so each is brought to the scale of the mean of all models,
    in which the order of its scores stays; not where the metric looks at more than their order.
    """

    complexity = 0
    sees_all = True

    def _fit(self, data: StackData) -> None:
        self.model_ = 0
        if data.labels.any():
            metric, near = metric_of(data.metric), _near_the_best(data)
            models = data.ads.of_models(near).probabilities.swapaxes(0, 1)
            scores = [metric(data.labels, model, data.top_k) for model in models]
            self.model_ = near[int(np.argmax(scores))]
        rows = enough(len(data.ads))
        some = data.ads.read(rows)
        alone, labels = some[:, self.model_], data.labels[rows]
        by_value = labels.any() and looks_at_values(data.metric, labels, alone, data.top_k)
        self.scale_ = None if by_value else to_reference(alone, some.mean(axis=1))

    def _predict_proba(self, ads: Ads) -> np.ndarray:
        alone = ads.probabilities[:, self.model_]
        return alone if self.scale_ is None else self.scale_(alone)


def _near_the_best(data: StackData) -> list[int]:
    """Models that may be the best; all, but of many those of about the highest GAP."""
    every = list(range(len(data.models)))
    if len(every) <= MANY or data.metric != "gap":
        return every
    nothing, found = np.zeros(data.labels.shape, dtype=np.float32), []
    for start in range(0, len(every), MANY):
        some = data.ads.of_models(every[start : start + MANY]).probabilities
        models = np.ascontiguousarray(some.swapaxes(0, 1))
        found.append(candidate_gaps(nothing, 0, models, data.labels, data.top_k))
    gaps = np.concatenate(found)
    return [int(model) for model in np.flatnonzero(gaps >= gaps.max() - ROUNDED)]
