"""One scale for what different models and meta-learners say, by quantiles; no label is used.

GAP ranks the ads of all folds in one list. Where a fold is predicted by another model than the
next, each with a scale of its own, the folds do not fit together, however well each is ranked. So
everything is brought to the scale of one reference: the mean of the level-1 probabilities. A
calibration to labels would do so too, but it differs from fold to fold with the share of positives
among the other folds, and always the wrong way round: a fold rich in a tag is left out by a
calibration that learned of few.
"""

from typing import NamedTuple

import numpy as np

MOST = 100_001  # quantiles that are kept; more would tell no more


class ToReference(NamedTuple):
    """A rising curve from the values of one model to a reference.

    Attributes
    ----------
    values, reference : ndarray of shape (n_quantiles,), dtype float32
        The same quantiles of both, ascending.
    """

    values: np.ndarray
    reference: np.ndarray

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Bring probabilities to the scale of the reference: float32, of the same shape.

        What lies beyond all values that were learned from keeps its order: there the curve runs
        straight on to 0 and to 1.
        """
        knots = np.concatenate(([-1e-9], self.values, [1 + 1e-9]))
        levels = np.concatenate(([0.0], self.reference, [1.0]))
        return np.interp(values, knots, levels).astype(np.float32)


def to_reference(values: np.ndarray, reference: np.ndarray) -> ToReference:
    """Learn the curve that gives `values` the distribution of `reference`.

    Equal values get one level, the mean of those that their ranks have in the reference.

    Parameters
    ----------
    values, reference : ndarray of the same number of probabilities, of any shape
        Of the same training ads.
    """
    ordered = np.sort(values, axis=None)
    levels = np.sort(reference, axis=None).astype(np.float64)
    if len(ordered) > MOST:
        some = np.linspace(0, len(ordered) - 1, MOST).astype(np.intp)
        ordered, levels = ordered[some], levels[some]
    knots, first, counts = np.unique(ordered, return_index=True, return_counts=True)
    means = np.add.reduceat(levels, first) / counts
    return ToReference(knots.astype(np.float32), means.astype(np.float32))
