"""Linear probe of pre-trained features: pooled over time, into a ridge logistic regression."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from competition.level1.base import Level1Model
from competition.level1.components.pooled_arrays import PooledArrays
from competition.level1.registry import level1_model
from competition.utils.odds import prior_logits
from competition.utils.parameters import Seed

STRENGTHS = tuple(float(C) for C in np.logspace(-4, 1, 16))  # tried from the most penalised on
INNER_FOLDS = 3  # of the training ads, that strengths are compared on


@level1_model("probe", kinds=("array",))
class Probe(Level1Model):
    """Mean, deviation and maximum over time of each array, logistic regression of all tags at once.

    Of an array of which no training ad has more than one row, the mean alone.
    Features are standardised by the training ads. An ad without an array gets the mean of the
    training ads in its place, and a feature says so. The L2 penalty is the same for all tags; its
    strength is the one of the least cross-entropy in a cross-validation within the training ads.

    Parameters
    ----------
    random_state : int
        Seeds who is in which of the inner folds that strengths of the penalty are compared on.

    Attributes
    ----------
    C_ : float
        Weight of the summed cross-entropy against half the squared weights.
    coef_ : ndarray of shape (n_features, n_learnable), dtype float32
    intercept_ : ndarray of shape (n_learnable,), dtype float32
    """

    def __init__(self, random_state: Seed = 0) -> None:
        self.random_state = random_state

    def _fit(self, X: pd.DataFrame, Y: np.ndarray) -> None:
        self.arrays_ = PooledArrays(spread=True)
        features = self.arrays_.fit_transform(X)
        self.C_ = _best_strength(features, Y, self.random_state)
        self.coef_, self.intercept_ = RidgeLogistic(features, Y).solve(self.C_)

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        from scipy.special import expit

        return expit(self.arrays_.transform(X) @ self.coef_ + self.intercept_)


class RidgeLogistic:
    """Logistic regression of all tags at once with an L2 penalty, by preconditioned L-BFGS.

    Each tag minimises ``1/2 |w|^2 + C sum_i cross_entropy_i``; the intercept is not penalised.
    The features are rotated to their principal axes, where the Hessian is nearly diagonal: about
    ``p (1 - p) s^2 + 1 / C`` for a tag of prior p along the axis of singular value s. Steps are
    scaled by it.

    Parameters
    ----------
    features : ndarray of shape (n_ads, n_features), dtype float32
        Centred.
    Y : ndarray of shape (n_ads, n_tags), dtype uint8
    """

    def __init__(self, features: np.ndarray, Y: np.ndarray) -> None:
        left, self._singular, self._axes = np.linalg.svd(features, full_matrices=False)
        self._rotated = left * self._singular
        self._labels = Y.astype(np.float32)
        self._start = np.zeros((len(self._singular) + 1, Y.shape[1]))
        self._start[-1] = prior_logits(Y)

    def solve(self, C: float) -> tuple[np.ndarray, np.ndarray]:
        """Fit, from where the fit before has ended.

        Returns
        -------
        coef : ndarray of shape (n_features, n_tags), dtype float32
        intercept : ndarray of shape (n_tags,), dtype float32
        """
        from scipy.optimize import minimize
        from scipy.special import expit

        n_ads = len(self._labels)
        prior = self._labels.mean(axis=0) * (1 - self._labels.mean(axis=0)) + 1 / n_ads
        scale = np.empty(self._start.shape)
        scale[:-1] = 1 / np.sqrt(np.outer(self._singular**2, prior) + 1 / C)
        scale[-1] = 1 / np.sqrt(n_ads * prior)

        def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
            weights = (flat.reshape(scale.shape) * scale).astype(np.float32)
            margins = self._rotated @ weights[:-1] + weights[-1]
            wrong = expit(margins) - self._labels
            gradient = np.empty(scale.shape)
            gradient[:-1] = self._rotated.T @ wrong + weights[:-1] / C
            gradient[-1] = wrong.sum(axis=0)
            value = cross_entropy(margins, self._labels) + np.square(weights[:-1]).sum() / (2 * C)
            return value / n_ads, (gradient * scale).ravel() / n_ads

        start = (self._start / scale).ravel()
        found = minimize(objective, start, jac=True, method="L-BFGS-B", options=_STOP)
        self._start = found.x.reshape(scale.shape) * scale
        weights = self._start.astype(np.float32)
        return self._axes.T @ weights[:-1], weights[-1]


_STOP = {"maxiter": 200, "ftol": 1e-6, "gtol": 1e-5}


def cross_entropy(margins: np.ndarray, labels: np.ndarray) -> float:
    """Sum over ads and tags."""
    return float((np.logaddexp(0, margins) - margins * labels).sum(dtype=np.float64))


def _best_strength(features: np.ndarray, Y: np.ndarray, random_state: int) -> float:
    """Strength of the least held-out cross-entropy; weaker penalties are tried until it rises."""
    fits = [
        (RidgeLogistic(features[~held_out], Y[~held_out]), features[held_out], Y[held_out])
        for held_out in _inner_folds(len(Y), random_state)
    ]
    best, least = STRENGTHS[0], np.inf
    for C in STRENGTHS:
        total = 0.0
        for fitted, others, labels in fits:
            coef, intercept = fitted.solve(C)
            total += cross_entropy(others @ coef + intercept, labels)
        if total >= least:
            break
        best, least = C, total
    return best


def _inner_folds(n_ads: int, random_state: int) -> Iterator[np.ndarray]:
    n_folds = min(INNER_FOLDS, n_ads)
    fold = np.random.default_rng(random_state).permutation(n_ads) % n_folds
    for k in range(n_folds):
        yield fold == k
