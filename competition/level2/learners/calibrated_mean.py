"""The mean of logits, each model first brought to the scale of the labels."""

import numpy as np

from competition.level2.base import MetaLearner
from competition.level2.data import Ads, StackData
from competition.level2.registry import meta_learner

# Far below the scores that GAP weighs: a model of another scale must not run into it.
FLOOR = 1e-4

# Three numbers do not need more (ad, tag) pairs than this: of 5,000 ads with 82 tags every fourth.
PAIRS = 100_000

# What is expected of a model before any label is seen: that it needs no calibration.
NEUTRAL = np.array([1.0, 1.0, 0.0])


@meta_learner("calibrated_mean")
class CalibratedMean(MetaLearner):
    """Sigmoid of the mean level-1 logit, after a calibration of every model.

    GAP ranks all ads and tags in one list, and a mean leans to the model of the largest scale. So
    each model first gets a beta calibration, learned from the training ads and shared by all tags.
    Three numbers per model are all that is learned: a few hundred ads suffice.
    """

    complexity = 2

    def _fit(self, data: StackData) -> None:
        n_ads, n_models, n_tags = data.ads.shape
        # Whole ads at even distances: of pairs at even distances some tags could get none.
        rows = np.linspace(0, n_ads - 1, min(n_ads, max(1, PAIRS // n_tags))).astype(np.intp)
        probabilities, labels = data.ads.read(rows), data.labels[rows]
        self.calibrations_ = np.array(
            [beta_calibration(probabilities[:, model], labels) for model in range(n_models)]
        )

    def _predict_proba(self, ads: Ads) -> np.ndarray:
        from scipy.special import expit

        probabilities = ads.probabilities
        total = np.zeros((len(ads), self.n_tags_), dtype=np.float32)
        for model, (a, b, c) in enumerate(self.calibrations_.tolist()):
            log, other = _logs(probabilities[:, model])
            total += a * log - b * other + c
        return expit(total / len(self.calibrations_))


def beta_calibration(probabilities: np.ndarray, labels: np.ndarray) -> tuple[float, float, float]:
    """Fit sigmoid(a ln p - b ln(1 - p) + c) to labels.

    Kull, Silva Filho and Flach, "Beta calibration" (AISTATS 2017). Platt's scaling of logits is the
    case a = b. Here a and b may also be negative, by which a model that says the opposite is turned
    round, and all three have a normal prior of spread 1 around (1, 1, 0), which changes nothing.

    Parameters
    ----------
    probabilities : ndarray of any shape
        Those beyond [1e-4, 1 - 1e-4] count as that.
    labels : ndarray of the same shape, 0 or 1

    Returns
    -------
    a, b, c : float
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    log, other = _logs(probabilities.ravel())
    terms = np.column_stack([log, -other, np.ones_like(log)]).astype(np.float64)
    truth = labels.ravel().astype(np.float64)

    def loss(weights: np.ndarray) -> float:
        logits = terms @ weights
        fit = np.logaddexp(0, logits).sum() - truth @ logits
        return float(fit + ((weights - NEUTRAL) ** 2).sum() / 2)

    def slope(weights: np.ndarray) -> np.ndarray:
        return (expit(terms @ weights) - truth) @ terms + weights - NEUTRAL

    def bend(weights: np.ndarray) -> np.ndarray:
        expected = expit(terms @ weights)
        return terms.T @ (terms * (expected * (1 - expected))[:, None]) + np.eye(3)

    found = minimize(loss, NEUTRAL, jac=slope, hess=bend, method="trust-exact")
    a, b, c = (float(weight) for weight in found.x)
    return a, b, c


def _logs(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of probabilities, and of what they lack to 1."""
    held = np.clip(probabilities, np.float32(FLOOR), np.float32(1 - FLOOR))
    return np.log(held), np.log1p(-held)
