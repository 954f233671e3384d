"""How much of a correction to use."""

import numpy as np


def best_strength(base: np.ndarray, correction: np.ndarray, labels: np.ndarray) -> float:
    """Weight in [0, 1] of a correction of logits with the lowest log loss, by Newton's method.

    Parameters
    ----------
    base : ndarray of any shape
        Logits.
    correction : ndarray of the same shape
        What is to be added to them.
    labels : ndarray of the same shape, 0 or 1
    """
    from scipy.special import expit

    best = 0.0
    for _ in range(10):
        probability = expit(base + best * correction)
        slope = (correction * (probability - labels)).sum(dtype=np.float64)
        bend = (correction**2 * probability * (1 - probability)).sum(dtype=np.float64)
        best = min(1.0, max(0.0, best - float(slope / (bend + 1e-6))))
    return best
