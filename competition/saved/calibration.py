"""Probabilities that mean frequencies: of ads with 0.7 for a tag, seven in ten carry it.

A stack's own probabilities are made to rank. Those of several meta-learners lie on the scale of the
mean level-1 probability, and a mean of many opinions is seldom near 0 or 1: of what it gives 0.65,
well over 0.8 are true. One sigmoid over the log odds of all tags mends that (Platt 1999). It rises,
so that no order changes, and has but two numbers to learn.
"""

from typing import NamedTuple

import numpy as np

from competition.saved.refit import Scale, rescaled

BINS = 10
FLOOR = 1e-6
STEPS = 30


class Calibration(NamedTuple):
    """A sigmoid, and what it is worth out of fold.

    Attributes
    ----------
    scale : Scale
        Slope and shift of log odds, learned from all folds; the identity where the sigmoid made the
        error larger out of fold.
    before, after : float
        Reliability error of the out-of-fold probabilities as they are, and with each fold moved by
        the sigmoid of the others.
    """

    scale: Scale
    before: float
    after: float


def calibrate(labels: np.ndarray, oof: np.ndarray, fold: np.ndarray) -> Calibration:
    """Learn a sigmoid from out-of-fold probabilities, and keep it if it helps out of fold.

    Parameters
    ----------
    labels : ndarray of shape (n_ads, n_tags)
    oof : ndarray of shape (n_ads, n_tags)
    fold : ndarray of shape (n_ads,)
    """
    before = reliability_error(labels, oof)
    after = reliability_error(labels, calibrated_by_others(labels, oof, fold))
    return Calibration(fit_sigmoid(labels, oof) if after < before else Scale(), before, after)


def calibrated_by_others(labels: np.ndarray, oof: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Move the probabilities of each fold by what the labels of the other folds teach."""
    moved = np.empty_like(oof)
    for one in np.unique(fold):
        held = fold == one
        moved[held] = rescaled(oof[held], fit_sigmoid(labels[~held], oof[~held]))
    return moved


def reliability_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean over tenths of |mean probability - share of true tags|, weighted by their decisions.

    The expected calibration error of Naeini, Cooper and Hauskrecht (AAAI 2015), over all tags.
    """
    p = probabilities.ravel().astype(np.float64)
    tenth = np.minimum((p * BINS).astype(int), BINS - 1)
    difference = np.bincount(tenth, p, BINS) - np.bincount(tenth, labels.ravel() > 0, BINS)
    return float(np.abs(difference).sum() / len(p))


def fit_sigmoid(labels: np.ndarray, probabilities: np.ndarray) -> Scale:
    """Fit slope and shift of log odds by Newton's method; the identity if they would fall.

    Both have a normal prior of spread 1 around (1, 0), which matters where there are few labels.
    """
    from scipy.special import expit, logit

    held = np.clip(probabilities.ravel().astype(np.float64), FLOOR, 1 - FLOOR)
    terms = np.stack([logit(held), np.ones(len(held))])
    truth, prior = labels.ravel() > 0, np.array([1.0, 0.0])
    weights = prior.copy()
    for _ in range(STEPS):
        p = expit(weights @ terms)
        gradient = terms @ (p - truth) + weights - prior
        step = np.linalg.solve((terms * (p * (1 - p))) @ terms.T + np.eye(2), gradient)
        weights -= np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-9:
            break
    slope, shift = (float(weight) for weight in weights)
    return Scale(slope, shift) if slope > 0 else Scale()
