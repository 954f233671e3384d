"""Linear probe of pre-trained features: their mean over time, into a ridge logistic regression."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from competition.level1.base import Level1Model
from competition.level1.linear import prior_logit
from competition.level1.pooled_arrays import PooledArrays
from competition.level1.registry import level1_model

STRENGTHS = tuple(float(C) for C in np.logspace(-4, 1, 11))  # tried from the most penalised on
N_PARTS = 3  # parts of the training ads that strengths are compared on


@level1_model("probe", kinds=("array",))
class Probe(Level1Model):
    """Mean over time of each array, logistic regression of all tags at once.

    Features are standardised by the training ads. An ad without an array gets the mean of the
    training ads in its place, and a feature says so. The L2 penalty is the same for all tags; its
    strength is the one of the least cross-entropy in a cross-validation within the training ads.

    Parameters
    ----------
    random_state : int
        Seeds the parts of the training ads that strengths of the penalty are compared on.

    Attributes
    ----------
    C_ : float
        Weight of the summed cross-entropy against half the squared weights.
    coef_ : ndarray of shape (n_features, n_learnable), dtype float32
    intercept_ : ndarray of shape (n_learnable,), dtype float32
    """

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def _fit(self, X: pd.DataFrame, Y: np.ndarray) -> None:
        self.arrays_ = PooledArrays()
        features = self.arrays_.fit_transform(X)
        self.C_ = _best_strength(features, Y, self.random_state)
        self.coef_, self.intercept_ = fit_ridge_logistic(features, Y, self.C_)

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        return _sigmoid(self.arrays_.transform(X) @ self.coef_ + self.intercept_)


def fit_ridge_logistic(
    features: np.ndarray, Y: np.ndarray, C: float, start: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Fit one logistic regression per tag, all at once, by L-BFGS.

    Each tag minimises ``1/2 |w|^2 + C sum_i cross_entropy_i``; the intercept is not penalised.

    Parameters
    ----------
    features : ndarray of shape (n_ads, n_features), dtype float32
    Y : ndarray of shape (n_ads, n_tags), dtype uint8
    C : float
    start : ndarray of shape (n_features + 1, n_tags), optional
        Weights to start from, the intercepts last.

    Returns
    -------
    coef : ndarray of shape (n_features, n_tags), dtype float32
    intercept : ndarray of shape (n_tags,), dtype float32
    """
    from scipy.optimize import minimize

    labels = Y.astype(np.float32)
    shape = features.shape[1] + 1, Y.shape[1]
    if start is None:
        start = np.zeros(shape)
        start[-1] = prior_logit(Y)

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(shape).astype(np.float32)
        margins = features @ weights[:-1] + weights[-1]
        loss = np.logaddexp(0, margins) - margins * labels
        wrong = _sigmoid(margins) - labels
        gradient = np.empty(shape)
        gradient[:-1] = features.T @ wrong + weights[:-1] / C
        gradient[-1] = wrong.sum(axis=0)
        value = loss.sum(dtype=np.float64) + np.square(flat[: -shape[1]]).sum() / (2 * C)
        return value / len(Y), gradient.ravel() / len(Y)

    found = minimize(objective, start.ravel(), jac=True, method="L-BFGS-B", options=_STOP)
    weights = found.x.reshape(shape).astype(np.float32)
    return weights[:-1], weights[-1]


_STOP = {"maxiter": 200, "ftol": 1e-6, "gtol": 1e-5}


def _best_strength(features: np.ndarray, Y: np.ndarray, random_state: int) -> float:
    """Strength of the least held-out cross-entropy; weaker penalties are tried until it rises."""
    parts = list(_parts(len(Y), random_state))
    starts: list[np.ndarray | None] = [None] * len(parts)
    best, least = STRENGTHS[0], np.inf
    for C in STRENGTHS:
        total = 0.0
        for k, held_out in enumerate(parts):
            coef, intercept = fit_ridge_logistic(features[~held_out], Y[~held_out], C, starts[k])
            starts[k] = np.vstack([coef, intercept])
            margins = features[held_out] @ coef + intercept
            total += float((np.logaddexp(0, margins) - margins * Y[held_out]).sum())
        if total >= least:
            break
        best, least = C, total
    return best


def _parts(n_ads: int, random_state: int) -> Iterator[np.ndarray]:
    n_parts = min(N_PARTS, n_ads)
    part = np.random.default_rng(random_state).permutation(n_ads) % n_parts
    for k in range(n_parts):
        yield part == k


def _sigmoid(margins: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    return expit(margins)
