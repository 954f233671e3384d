"""Offsets between the fold models of one level-1 model, and how to remove them.

The out-of-fold predictions of a model come from one model per fold. GAP ranks them all in one
list, and so does a meta-learner. Where a fold model predicts with an offset (it stopped early, or
was trained elsewhere), its fold ranks too high or too low. The test ads show the offset, because
every fold model predicts the same ones.
"""

from collections.abc import Sequence

import numpy as np

FLOOR = 3e-3  # smaller probabilities would dominate the mean logit
FEWEST = 20  # test ads
# Larger offsets between mean logits are removed: odds that differ by a third. Sound models, shallow
# or deep, stay within 0.15; to remove such offsets gains nothing.
LARGE = 0.3


def mean_logits_of_folds(tests: np.ndarray) -> list[float]:
    """Mean logit of each fold model's test predictions.

    Parameters
    ----------
    tests : ndarray of shape (n_folds, n_test, n_tags)
        Probabilities of the same ads; they are clipped to [0.003, 0.997].

    Returns
    -------
    list of float
        Empty where there are fewer than 20 test ads, which say too little.
    """
    if tests.shape[1] < FEWEST:
        return []
    held = np.clip(tests.astype(np.float64), FLOOR, 1 - FLOOR)
    return [float(level) for level in np.log(held / (1 - held)).mean(axis=(1, 2))]


def offset_spread(levels: Sequence[float]) -> float:
    """Largest less smallest mean logit of fold models; 0 where these are not known."""
    return max(levels) - min(levels) if levels else 0.0


def without_offsets(oof: np.ndarray, fold: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Shift the logits of each fold, so that all fold models have the same mean logit.

    This leaks nothing: no label is used, the mean logit of a fold model comes from a model that
    never saw the fold, and the common mean is one number for all ads and tags. Where the mean
    logits are not known, or lie within 0.3 of each other, nothing is changed.

    Parameters
    ----------
    oof : ndarray of shape (n_ads, n_tags), dtype float32
        Out-of-fold probabilities.
    fold : ndarray of shape (n_ads,), dtype int
        From 0.
    levels : sequence of float
        Mean logits of the fold models, as `mean_logits_of_folds` returns them.

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
