"""Signs that a level-1 model has seen the labels of the ads that it predicts.

What can be detected: one fold that is predicted better than the others by more than chance
explains, as when that fold's model was trained on the fold itself. What cannot: a leak in all folds
looks like a good model, and a weak leak looks like luck. Only whoever makes the predictions can
rule these out (`competition.pipeline.crossfit` never shows a model its held-out fold).
"""

from dataclasses import dataclass

import numpy as np

from competition.evaluation.bootstrap import resampled
from competition.evaluation.metrics import gap

N_RESAMPLES = 100
SPREADS = 5.0  # chance explains what lies within so many spreads


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

    Its GAP exceeds the mean GAP of the other folds by more than five spreads. The spread is the
    standard deviation among the other folds or, if larger, the largest standard deviation of a
    fold's GAP over resamples of its ads.

    Parameters
    ----------
    labels : ndarray of shape (n_ads, n_tags)
        1 where the ad has the tag, else 0.
    oof : ndarray of shape (n_ads, n_tags)
    fold : ndarray of shape (n_ads,)
    top_k : int
        Tags of an ad that enter GAP's list.

    Returns
    -------
    StandingOut or None
        None also where fewer than three folds have true tags.
    """
    ads_of = {int(k): fold == k for k in np.unique(fold) if labels[fold == k].any()}
    if len(ads_of) < 3:
        return None
    gaps = {k: gap(labels[ads], oof[ads], top_k) for k, ads in ads_of.items()}
    best = max(gaps, key=lambda k: gaps[k])
    others = np.array([value for k, value in gaps.items() if k != best])
    ahead, among = gaps[best] - others.mean(), others.std(ddof=1)
    if ahead <= SPREADS * among:  # most models: what follows takes long
        return None
    if any(
        ahead <= SPREADS * _spread(labels[ads], oof[ads], top_k) for ads in ads_of.values()
    ):  # the first that explains it is enough
        return None
    return StandingOut(best, gaps[best], float(others.mean()))


def folds_standing_out(
    labels: np.ndarray, oof: np.ndarray, fold: np.ndarray, top_k: int = 20
) -> dict[int, StandingOut]:
    """Find such a fold of each model; `oof` has the shape (n_ads, n_models, n_tags).

    Returns
    -------
    dict of int to StandingOut
        By the positions of those models that have one.
    """
    found = {
        model: fold_standing_out(labels, oof[:, model], fold, top_k)
        for model in range(oof.shape[1])
    }
    return {model: one for model, one in found.items() if one is not None}


def _spread(labels: np.ndarray, scores: np.ndarray, top_k: int) -> float:
    """Standard deviation of the GAP of ads over resamples of them."""
    return float(resampled(labels, scores, top_k, N_RESAMPLES, seed=0).resamples.std(ddof=1))
