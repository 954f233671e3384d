"""One logistic regression per tag: the textbook stack."""

from typing import TYPE_CHECKING, Any

import numpy as np

from competition.level2.base import MetaLearner
from competition.level2.components.logits import to_logits
from competition.level2.data import Ads, StackData
from competition.level2.registry import meta_learner
from competition.utils.odds import prior_logits
from competition.utils.parameters import Positive

if TYPE_CHECKING:
    from optuna import Trial


@meta_learner("logreg")
class LogReg(MetaLearner):
    """A logistic regression per tag on the models' logits of that tag, each tag on its own.

    With a few hundred ads a rare tag has too few positives for weights of its own: see `pooled`.

    Parameters
    ----------
    C : float
        Inverse strength of the L2 penalty on the weights.
    """

    complexity = 4

    def __init__(self, C: Positive = 1.0) -> None:
        self.C = C

    @staticmethod
    def search_space(trial: "Trial") -> dict[str, Any]:
        """What `tune` tries."""
        return {
            "C": trial.suggest_float("C", 1e-3, 100, log=True),
        }

    def _fit(self, data: StackData) -> None:
        from sklearn.linear_model import LogisticRegression

        logits, labels = to_logits(data.ads.probabilities), data.labels
        # A tag that all or no training ads carry gets its prior: there is nothing to tell apart.
        self.intercepts_ = prior_logits(labels)
        self.weights_ = np.zeros((labels.shape[1], len(data.models)), dtype=np.float32)
        for tag in np.flatnonzero(labels.any(axis=0) & ~labels.all(axis=0)):
            model = LogisticRegression(C=self.C, solver="newton-cholesky")
            model.fit(logits[:, :, tag], labels[:, tag])
            self.intercepts_[tag], self.weights_[tag] = model.intercept_[0], model.coef_[0]

    def _predict_proba(self, ads: Ads) -> np.ndarray:
        from scipy.special import expit

        logits = to_logits(ads.probabilities)
        return expit(np.einsum("amt,tm->at", logits, self.weights_) + self.intercepts_)
