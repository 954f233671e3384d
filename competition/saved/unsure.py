"""Ads on which level-1 models differ more than they do on those that they learned from."""

import numpy as np

from competition.level2.components.logits import to_logits


def disagreement(probabilities: np.ndarray) -> np.ndarray:
    """How far level-1 models differ on each ad.

    Parameters
    ----------
    probabilities : ndarray of shape (n_ads, n_models, n_tags), dtype float32

    Returns
    -------
    ndarray of shape (n_ads,), dtype float32
        Standard deviation of the models' log odds, mean over tags.
    """
    return np.asarray(to_logits(probabilities).std(axis=1).mean(axis=1))
