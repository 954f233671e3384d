"""Odds of tags."""

import numpy as np


def prior_logits(labels: np.ndarray) -> np.ndarray:
    """Log-odds of each tag among the ads, half an ad added to either side.

    Parameters
    ----------
    labels : ndarray of shape (n_ads, n_tags), 0 or 1

    Returns
    -------
    ndarray of shape (n_tags,), dtype float32
    """
    positives = labels.sum(axis=0, dtype=np.float64) + 0.5
    return np.log(positives / (len(labels) + 1 - positives)).astype(np.float32)
