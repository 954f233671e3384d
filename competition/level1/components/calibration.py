"""Decision values turned into probabilities by one sigmoid per tag.

GAP ranks the tags of all ads in one list, so that a tag whose scores run higher than they should
costs hits of every other tag. Platt's sigmoids put the tags on one scale. A slope of its own is
more than a rare tag can support: slopes are drawn towards the one that all tags share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Linear = tuple[np.ndarray, np.ndarray]

# A tag's slope is expected to lie within a factor 1 +- 1/sqrt(30) of the shared one: the best of
# 3, 10, 30 and 100 by GAP, of which none was worse than no such expectation.
_SHRINKAGE = 30.0
_INNER_FOLDS = 3
_NEWTON_STEPS = 50
_HALVINGS = 20


@dataclass(frozen=True, eq=False)
class Sigmoid:
    """Probability of each tag: ``1 / (1 + exp(-(slope * decision + intercept)))``.

    Attributes
    ----------
    slope, intercept : ndarray of shape (n_tags,), dtype float64
        No slope is negative.
    """

    slope: np.ndarray
    intercept: np.ndarray

    def __call__(self, decisions: np.ndarray) -> np.ndarray:
        """Probabilities, float32, in the shape of `decisions`: (n_ads, n_tags)."""
        return _sigmoid(self.slope * decisions + self.intercept).astype(np.float32)


def cross_validated_decisions(
    solve: Callable[[csr_matrix, np.ndarray], Linear],
    X: csr_matrix,
    Y: np.ndarray,
    random_state: int,
) -> np.ndarray:
    """Decision values of training ads by classifiers that did not see them, (n_ads, n_tags).

    Parameters
    ----------
    solve : callable
        Given features and labels, returns coefficients (n_features, n_tags) and intercepts.
    X : csr_matrix of shape (n_ads, n_features)
        Two ads or more.
    Y : ndarray of shape (n_ads, n_tags), dtype uint8
    random_state : int
        Seeds who is in which of the three inner folds.
    """
    n_folds = min(_INNER_FOLDS, len(Y))
    fold = np.random.default_rng(random_state).permutation(len(Y)) % n_folds
    decisions, intercepts = np.empty(Y.shape), np.empty(Y.shape)
    for held_out in (fold == k for k in range(n_folds)):
        coef, intercepts[held_out] = solve(X[~held_out], Y[~held_out])
        decisions[held_out] = X[held_out] @ coef
    # Every fold gets the mean intercept. One that holds out many of a tag's ads leaves few to learn
    # from: its own intercept runs low just where it should run high, which on few ads would be
    # enough to turn slopes negative.
    return decisions + intercepts.mean(axis=0)


def fit_sigmoid(decisions: np.ndarray, Y: np.ndarray) -> Sigmoid:
    """Fit one sigmoid per tag, all tags at once.

    The cross-entropy to Platt's targets (1999, section 2.2: (n+ + 1) / (n+ + 2) for a positive,
    1 / (n- + 2) for a negative) is minimised by Newton's method with backtracking (Lin, Lin and
    Weng 2007): first with one slope for all tags, then with a slope for each under a normal prior
    around the shared one. Where held-out decisions carry nothing (a shared slope of 0 or less) the
    sigmoids are flat.

    Parameters
    ----------
    decisions : ndarray of shape (n_ads, n_tags)
        Held-out decision values: those of ads that a classifier was fitted on are too sure.
    Y : ndarray of shape (n_ads, n_tags), dtype uint8

    References
    ----------
    Platt: Probabilistic outputs for support vector machines, 1999. Lin, Lin, Weng: A note on
    Platt's probabilistic outputs for support vector machines, Machine Learning 68, 2007.
    """
    positives = Y.sum(axis=0, dtype=np.float64)
    negatives = len(Y) - positives
    targets = np.where(Y == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    flat = _logit(targets.mean(axis=0))
    scale = float(decisions.std()) or 1.0  # Newton's method starts well when decisions are near 1
    scaled = decisions / scale
    shared, intercept = _newton(scaled, targets, np.zeros(1), flat, 0.0)
    if shared[0] <= 0:
        return Sigmoid(np.zeros(Y.shape[1]), flat)
    start = np.repeat(shared, Y.shape[1])
    slope, intercept = _newton(scaled, targets, start, intercept, _SHRINKAGE / shared[0] ** 2)
    reversed_ = slope < 0
    return Sigmoid(np.where(reversed_, 0, slope) / scale, np.where(reversed_, flat, intercept))


def _newton(
    decisions: np.ndarray,
    targets: np.ndarray,
    slope: np.ndarray,
    intercept: np.ndarray,
    strength: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Slopes and intercepts of least cross-entropy; a `slope` of one entry is shared by all tags.

    To it is added `strength` times half the squared distance of the slopes from where they start.
    """
    expected = slope

    def per_slope(sums: np.ndarray) -> np.ndarray:
        return sums if len(slope) == len(sums) else sums.sum(keepdims=True)

    def loss(slope: np.ndarray, intercept: np.ndarray) -> np.ndarray:
        z = slope * decisions + intercept
        entropy = (np.logaddexp(0, z) - targets * z).sum(axis=0)
        return per_slope(entropy) + strength / 2 * (slope - expected) ** 2

    current = loss(slope, intercept)
    for _ in range(_NEWTON_STEPS):
        p = _sigmoid(slope * decisions + intercept)
        error, weight = p - targets, p * (1 - p)
        g_intercept = error.sum(axis=0)
        h_intercept = weight.sum(axis=0) + 1e-12
        h_both = (weight * decisions).sum(axis=0)
        # Intercepts are eliminated, each tag having its own (the Schur complement of the Hessian).
        g_slope = (error * decisions).sum(axis=0) - h_both * g_intercept / h_intercept
        h_slope = (weight * decisions**2).sum(axis=0) - h_both**2 / h_intercept
        gradient = per_slope(g_slope) + strength * (slope - expected)
        slope_step = gradient / (per_slope(h_slope) + strength + 1e-12)
        intercept_step = (g_intercept - h_both * slope_step) / h_intercept
        length = np.ones_like(slope)
        for _ in range(_HALVINGS):
            trial = slope - length * slope_step, intercept - length * intercept_step
            reached = loss(*trial)
            worse = reached > current + 1e-12 * abs(current)
            if not worse.any():
                break
            length = np.where(worse, length / 2, length)
        else:
            break
        gain = current - reached
        (slope, intercept), current = trial, reached
        if (gain <= 1e-10 * current).all():
            break
    return slope, intercept


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * z))


def _logit(p: np.ndarray) -> np.ndarray:
    return np.log(p) - np.log1p(-p)
