"""One logistic regression per tag: the textbook stack."""

from typing import TYPE_CHECKING, Any

import numpy as np

from competition.level2.base import Ads, FoldwiseLearner, prior_logits
from competition.level2.components.logits import to_logits
from competition.level2.registry import meta_learner

if TYPE_CHECKING:
    from optuna import Trial


@meta_learner("logreg")
class LogReg(FoldwiseLearner):
    """A logistic regression per tag on the models' logits of that tag, each tag on its own.

    With a few hundred ads a rare tag has too few positives for weights of its own: see `pooled`.

    Parameters
    ----------
    C : float
        Inverse strength of the L2 penalty on the weights.
    """

    complexity = 4

    def __init__(self, C: float = 1.0) -> None:
        self.C = C

    @staticmethod
    def search_space(trial: "Trial") -> dict[str, Any]:
        """What `tune` tries."""
        return {
            "C": trial.suggest_float("C", 1e-3, 100, log=True),
        }

    def _fit_predict(
        self, train: Ads, labels: np.ndarray, asked: Ads, n_threads: int
    ) -> np.ndarray:
        from scipy.special import expit
        from sklearn.linear_model import LogisticRegression

        known, unknown = to_logits(train.probabilities), to_logits(asked.probabilities)
        # A tag that all or no training ads carry gets its prior: there is nothing to tell apart.
        predicted = np.tile(expit(prior_logits(labels)), (len(asked), 1))
        for tag in np.flatnonzero(labels.any(axis=0) & ~labels.all(axis=0)):
            model = LogisticRegression(C=self.C, solver="newton-cholesky")
            model.fit(known[:, :, tag], labels[:, tag])
            predicted[:, tag] = model.predict_proba(unknown[:, :, tag])[:, 1]
        return predicted
