"""Signs that a level-1 model has seen the labels of ads that it predicts as unseen.

What can be caught: predictions of one fold that are far better than chance lets them differ from
those of the other folds, as when that fold's model was trained with the fold itself. What cannot:
a leak that is alike in all folds looks like a good model, and a weak leak like luck; only where
predictions are made can those be ruled out (`crossfit` never hands a model its held-out fold).
"""

from dataclasses import dataclass

import numpy as np

from competition.evaluation.bootstrap import resampled
from competition.evaluation.metrics import gap

N_RESAMPLES = 100
SPREADS = 5.0  # further out than this many spreads is not called chance


@dataclass(frozen=True)
class StandingOut:
    """A fold that a model predicts suspiciously well.

    Attributes
    ----------
    fold : int
    gap : float
        GAP of its ads alone.
    others : float
        Mean of the other folds' GAPs.
    """

    fold: int
    gap: float
    others: float


def fold_standing_out(
    labels: np.ndarray, oof: np.ndarray, fold: np.ndarray, top_k: int = 20
) -> StandingOut | None:
    """Find the fold that a model predicts far better than the others, if there is one.

    It lies above the mean of the other folds by more than five spreads; the spread is that among
    the other folds, or the largest that a fold has over resamples of its ads.

    Parameters
    ----------
    labels : ndarray of shape (n_ads, n_tags)
        1 where the ad carries the tag, else 0.
    oof : ndarray of shape (n_ads, n_tags)
    fold : ndarray of shape (n_ads,)
    top_k : int
        Tags of an ad that enter GAP's list.

    Returns
    -------
    StandingOut or None
        None, too, where fewer than three folds have true tags.
    """
    ads_of = {int(k): fold == k for k in np.unique(fold) if labels[fold == k].any()}
    if len(ads_of) < 3:
        return None
    gaps = {k: gap(labels[ads], oof[ads], top_k) for k, ads in ads_of.items()}
    best = max(gaps, key=lambda k: gaps[k])
    others = np.array([value for k, value in gaps.items() if k != best])
    spread = max(
        others.std(ddof=1),
        *(_spread(labels[ads], oof[ads], top_k) for ads in ads_of.values()),
    )
    if gaps[best] - others.mean() <= SPREADS * spread:
        return None
    return StandingOut(best, gaps[best], float(others.mean()))


def _spread(labels: np.ndarray, scores: np.ndarray, top_k: int) -> float:
    """Standard deviation of the GAP of ads over resamples of them."""
    return float(resampled(labels, scores, top_k, N_RESAMPLES, seed=0).resamples.std(ddof=1))
