"""Fold models of one level-1 model that predict on different levels, and how to level them.

A model's out-of-fold predictions come from one model per fold, and GAP, like a meta-learner, puts
them all in one list. Where one of the fold models is off (it stopped early, or was trained
elsewhere) its fold stands too high or too low in that list. The test ads show it, for every fold
model predicts the same ones.
"""

from collections.abc import Sequence

import numpy as np

FLOOR = 3e-3  # beyond, a probability says more about its model than about the level
FEWEST = 20  # test ads
# Mean logits further apart than this are levelled: odds that differ by a third. Shallow and deep
# models that fold well lie within 0.15; to level those as well gains nothing.
LARGE = 0.3


def mean_logits_of_folds(tests: np.ndarray) -> list[float]:
    """Mean logit of each fold model's test predictions.

    Parameters
    ----------
    tests : ndarray of shape (n_folds, n_test, n_tags)
        Probabilities of the same ads; those beyond [0.003, 0.997] count as that.

    Returns
    -------
    list of float
        Empty where there are fewer than 20 test ads: they would tell too little.
    """
    if tests.shape[1] < FEWEST:
        return []
    held = np.clip(tests.astype(np.float64), FLOOR, 1 - FLOOR)
    return [float(level) for level in np.log(held / (1 - held)).mean(axis=(1, 2))]


def offset_spread(levels: Sequence[float]) -> float:
    """How far the levels of fold models lie apart, in logits; 0 where they are not known."""
    return max(levels) - min(levels) if levels else 0.0


def without_offsets(oof: np.ndarray, fold: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Move the logits of each fold by what its model's level lacks to the mean level.

    A fold's own level comes from a model that never saw its ads; the mean level is one number for
    all ads and tags, which tells none from another. No label is used. Where levels are not known,
    or lie within 0.3 of each other, nothing is changed.

    Parameters
    ----------
    oof : ndarray of shape (n_ads, n_tags), dtype float32
        Out-of-fold probabilities.
    fold : ndarray of shape (n_ads,), dtype int
        From 0.
    levels : sequence of float
        Of the fold models, as `mean_logits_of_folds` gives them.

    Returns
    -------
    ndarray of shape (n_ads, n_tags), dtype float32
    """
    if offset_spread(levels) <= LARGE:
        return oof
    shift = np.mean(levels) - np.array(levels)
    odds_ratio = np.exp(shift[fold])[:, None]
    raised = oof * odds_ratio
    return np.asarray(raised / (raised + 1 - oof), dtype=np.float32)
