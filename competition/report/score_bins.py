"""How often each tag is true at each probability: what thresholds and reliability need."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

BINS = 400  # of equal width between 0 and 1
SHOWN_BINS = 10


@dataclass(frozen=True, eq=False)
class Reliability:
    """Share of true decisions among those of like probability.

    Attributes
    ----------
    mean, share : ndarray of shape (n,)
        Mean probability and share of true tags in each tenth that is not empty.
    counts : ndarray of shape (n,)
    error : float
        Expected calibration error: mean of |mean - share|, weighted by `counts`.
    """

    mean: np.ndarray
    share: np.ndarray
    counts: np.ndarray
    error: float


@dataclass(frozen=True, eq=False)
class ScoreBins:
    """Ads by fold, tag and bin of probability.

    Attributes
    ----------
    true, all : ndarray of shape (n_folds, n_tags, BINS), dtype int64
        Ads that carry the tag, and all ads.
    """

    true: np.ndarray
    all: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray, oof: np.ndarray, fold: np.ndarray) -> "ScoreBins":
        """Count the ads; `labels` and `oof` have the shape (n_ads, n_tags), `fold` (n_ads,)."""
        folds, place = np.unique(fold, return_inverse=True)
        n_tags = labels.shape[1]
        true = np.empty((len(folds), n_tags, BINS), dtype=np.int64)
        every = np.empty_like(true)
        for t in range(n_tags):
            of = place * BINS + np.minimum((oof[:, t] * BINS).astype(np.int64), BINS - 1)
            size = len(folds) * BINS
            every[:, t] = np.bincount(of, minlength=size).reshape(-1, BINS)
            true[:, t] = np.bincount(of[labels[:, t]], minlength=size).reshape(-1, BINS)
        return cls(true, every)

    def thresholds(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Choose each tag's threshold by F1, and measure precision and recall out of fold.

        Returns
        -------
        threshold, precision, recall : ndarray of shape (n_tags,)
            The threshold is that of all ads, NaN where none has the tag. Precision and recall are
            measured with the threshold that the other folds choose; NaN where nothing is
            predicted, or nothing is true.
        """
        hits, predicted = _from_above(self.true), _from_above(self.all)
        n_true = self.true.sum(axis=2)
        found = np.zeros((2, self.true.shape[1]))
        whole = _best(hits.sum(axis=0), predicted.sum(axis=0), n_true.sum(axis=0))
        for k in range(len(hits)):
            others = np.arange(len(hits)) != k
            chosen = _best(
                hits[others].sum(axis=0), predicted[others].sum(axis=0), n_true[others].sum(axis=0)
            )
            places = np.arange(len(chosen))
            found += hits[k, places, chosen], predicted[k, places, chosen]
        with np.errstate(invalid="ignore", divide="ignore"):
            of_all = np.where(n_true.sum(axis=0) > 0, whole / BINS, np.nan)
            return of_all, found[0] / found[1], found[0] / n_true.sum(axis=0)

    def reliability(self) -> Reliability:
        """Compare probabilities with shares of true tags, over all tags and ads."""
        return _reliability(_centres(), self.true.sum(axis=(0, 1)), self.all.sum(axis=(0, 1)))

    def calibrated(self) -> Reliability:
        """Return the same for probabilities that one sigmoid per fold, of the other folds, makes.

        The sigmoid is Platt's, ``1 / (1 + exp(-(slope * logit + intercept)))``, pooled over tags.
        """
        centres, true, every = _centres(), self.true.sum(axis=1), self.all.sum(axis=1)
        logits = np.log(centres) - np.log1p(-centres)
        moved = []
        for k in range(len(true)):
            others = np.arange(len(true)) != k
            slope, intercept = _platt(logits, true[others].sum(axis=0), every[others].sum(axis=0))
            moved.append(expit(slope * logits + intercept))
        return _reliability(np.concatenate(moved), true.ravel(), every.ravel())

    def histogram(self, n: int = 25) -> tuple[np.ndarray, np.ndarray]:
        """Decisions that are true and false in each of `n` bins of probability."""
        true = self.true.sum(axis=(0, 1)).reshape(n, -1).sum(axis=1)
        return true, self.all.sum(axis=(0, 1)).reshape(n, -1).sum(axis=1) - true


def _centres() -> np.ndarray:
    return (np.arange(BINS) + 0.5) / BINS


def _from_above(counts: np.ndarray) -> np.ndarray:
    """Sum, in the last axis, each bin and all above it."""
    return np.asarray(counts[..., ::-1].cumsum(axis=-1)[..., ::-1])


def _best(hits: np.ndarray, predicted: np.ndarray, n_true: np.ndarray) -> np.ndarray:
    """Bin of each tag from which on F1 = 2 hits / (predicted + true) is highest.

    Where no ad lies between true and false ones, many bins are equal: the middle one is the
    farthest from both.
    """
    f1 = 2 * hits / np.maximum(predicted + n_true[:, None], 1)
    is_best = f1 == f1.max(axis=1, keepdims=True)
    places = np.arange(BINS)
    highest = BINS - 1 - np.argmax(is_best[:, ::-1], axis=1)
    below = np.where(~is_best & (places < highest[:, None]), places, -1).max(axis=1)
    return np.asarray((below + 1 + highest) // 2)


def _platt(logits: np.ndarray, true: np.ndarray, every: np.ndarray) -> tuple[float, float]:
    """Fit slope and intercept by Newton's method to counts of true and all decisions."""
    slope, intercept = 1.0, 0.0
    inputs = np.stack([logits, np.ones_like(logits)])
    for _ in range(25):
        p = 1 / (1 + np.exp(-np.clip(slope * logits + intercept, -30, 30)))
        gradient = inputs @ (every * p - true)
        weight = every * p * (1 - p)
        hessian = (inputs * weight) @ inputs.T + 1e-6 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        slope, intercept = slope - step[0], intercept - step[1]
        if np.abs(step).max() < 1e-8:
            break
    return float(slope), float(intercept)


def _reliability(p: np.ndarray, true: np.ndarray, every: np.ndarray) -> Reliability:
    tenth = np.minimum((p * SHOWN_BINS).astype(int), SHOWN_BINS - 1)
    counts = np.bincount(tenth, every, SHOWN_BINS)
    kept = counts > 0
    mean = np.bincount(tenth, every * p, SHOWN_BINS)[kept] / counts[kept]
    share = np.bincount(tenth, true, SHOWN_BINS)[kept] / counts[kept]
    counts = counts[kept]
    return Reliability(mean, share, counts, float(np.average(np.abs(mean - share), weights=counts)))
