"""Confidence in a difference of GAP: a paired bootstrap over ads (Efron and Tibshirani 1993)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from competition.evaluation.metrics import best_tags, gap

N_RESAMPLES = 1000
MANY = 50_000  # ads; resampling more takes minutes and changes the interval hardly at all


@dataclass(frozen=True)
class Difference:
    """Metric of one set of scores less that of another, with its 95% bootstrap interval.

    Attributes
    ----------
    value, low, high : float
        As `gap_difference` or `competition.evaluation.gain.gain_over_best` defines them.
    """

    value: float
    low: float
    high: float


def gap_difference(
    labels: np.ndarray,
    scores: np.ndarray,
    rival: np.ndarray,
    top_k: int = 20,
    seed: int = 0,
    group: np.ndarray | None = None,
) -> Difference:
    """Compare two sets of scores on 1,000 resamples of the ads, the same for both sets.

    Parameters
    ----------
    labels : ndarray of shape (n_ads, n_tags)
        1 where the ad carries the tag, else 0; at least one is 1.
    scores, rival : ndarray of shape (n_ads, n_tags)
        No NaN.
    top_k : int
        Tags of an ad that enter GAP's list.
    seed : int
        The same seed gives the same interval.
    group : ndarray of shape (n_ads,) or None
        Ads of one group are drawn together.
    """
    ours, theirs = (
        resampled(labels, one, top_k, N_RESAMPLES, seed, group) for one in (scores, rival)
    )
    low, high = np.percentile(ours.resamples - theirs.resamples, [2.5, 97.5])
    return Difference(ours.value - theirs.value, float(low), float(high))


class Resampled(NamedTuple):
    """GAP of all ads, and of resamples of them, float64 (n,)."""

    value: float
    resamples: np.ndarray


def resampled(
    labels: np.ndarray,
    scores: np.ndarray,
    top_k: int,
    n: int,
    seed: int,
    group: np.ndarray | None = None,
) -> Resampled:
    """GAP of `n` resamples of the ads; other scores for the same labels get the same resamples.

    Where there are more than 50,000 ads, a random 50,000 of them are resampled. The deviations of
    the resamples from the GAP of these are scaled to the number of all ads: spreads fall with the
    square root of the number of ads (the m-out-of-n bootstrap; Bickel, Goetze and van Zwet 1997).

    Parameters
    ----------
    labels, scores : ndarray of shape (n_ads, n_tags)
    top_k, n, seed : int
    group : ndarray of shape (n_ads,) or None
        Ads of one group are drawn together, for they are no news of each other.
    """
    n_ads, some = len(labels), some_ads(labels, seed)
    listed = GapList(labels[some], scores[some], top_k)
    of_some = None if group is None else group[some]
    draws = resamples(np.asarray(labels[some].any(axis=1)), n, seed, of_some)
    found = np.array([listed.gap(counts) for counts in draws])
    value = listed.gap(np.ones(len(some), dtype=np.int64))
    if len(some) == n_ads:
        return Resampled(value, found)
    whole = gap(labels, scores, top_k)
    return Resampled(whole, whole + (found - value) * np.sqrt(len(some) / n_ads))


def some_ads(labels: np.ndarray, seed: int) -> np.ndarray:
    """Return the positions of the ads to resample, ascending: of more than 50,000 a random 50,000.

    All where none of those has a true tag.
    """
    every = np.arange(len(labels))
    if len(labels) <= MANY:
        return every
    drawn = np.sort(np.random.default_rng(seed).choice(len(labels), MANY, replace=False))
    return drawn if labels[drawn].any() else every


def resamples(
    tagged: np.ndarray, n: int, seed: int, group: np.ndarray | None = None
) -> Iterator[np.ndarray]:
    """Draw ads with replacement; a draw without a true tag has no GAP, and is drawn again.

    Parameters
    ----------
    tagged : ndarray of shape (n_ads,), dtype bool
        True where an ad has a tag.
    n, seed : int
    group : ndarray of shape (n_ads,) or None
        Groups are drawn whole, as many as there are: the cluster bootstrap (Davison and Hinkley
        1997, section 3.8). None draws ads.

    Yields
    ------
    ndarray of shape (n_ads,), dtype int64
        How often each ad was drawn.
    """
    rng = np.random.default_rng(seed)
    unit = np.arange(len(tagged)) if group is None else np.unique(group, return_inverse=True)[1]
    n_units = int(unit.max()) + 1
    for _ in range(n):
        counts = np.zeros(len(tagged), dtype=np.int64)
        while not counts[tagged].any():
            drawn = np.bincount(rng.integers(n_units, size=n_units), minlength=n_units)
            counts = drawn[unit]
        yield counts


class GapList:
    """The list of best tags that GAP ranks, sorted once, for ads that occur several times.

    Parameters
    ----------
    labels, scores : ndarray of shape (n_ads, n_tags)
    top_k : int
    """

    def __init__(self, labels: np.ndarray, scores: np.ndarray, top_k: int) -> None:
        n_ads, n_tags = scores.shape
        labels, k = labels.astype(bool), min(top_k, n_tags)
        values, hits, contested, edge, variance = best_tags(labels, scores, k)
        order = np.argsort(values)[::-1]
        values, hits = values[order], hits[order]
        self._ad = np.repeat(np.arange(n_ads, dtype=np.int32), k)[order]
        starts = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))
        ends = np.append(starts[1:], len(values))
        # Only groups of equal values with a possible hit add to the sum; the rest take up ranks.
        group = np.repeat(np.arange(len(starts)), ends - starts)
        listed = np.flatnonzero(hits > 0)
        groups, self._first = np.unique(group[listed], return_index=True)
        self._hit_ad, self._hits = self._ad[listed], hits[listed]
        self._starts, self._ends = starts[groups], ends[groups]
        self._contested = contested[variance > 0]
        self._variance = variance[variance > 0]
        of_edge = np.searchsorted(-values[starts], -edge[variance > 0])
        self._group = np.searchsorted(groups, of_edge)
        self._n_true = np.count_nonzero(labels, axis=1)
        # Sums of 1 / 1, 1 / 2, ...: a group's reciprocals of ranks are a difference of two.
        self._harmonic = np.concatenate(([0.0], np.cumsum(1.0 / np.arange(1, len(values) + 1))))

    def gap(self, counts: np.ndarray) -> float:
        """GAP where ad i occurs `counts[i]` times, as `metrics.gap` defines it.

        The copies of an ad are ads of their own, with equal scores: they share groups of equal
        values, whose expected precision `metrics` derives.

        Parameters
        ----------
        counts : ndarray of shape (n_ads,), dtype int64
            Not negative.
        """
        ranks = np.concatenate(([0], np.cumsum(np.take(counts, self._ad))))
        if ranks[-1] >= len(self._harmonic):  # groups of unequal size: more ads than there are
            self._harmonic = np.concatenate(([0.0], np.cumsum(1.0 / np.arange(1, ranks[-1] + 1))))
        start, end = ranks[self._starts], ranks[self._ends]
        size = end - start
        mean = np.add.reduceat(np.take(counts, self._hit_ad) * self._hits, self._first)
        before = np.cumsum(mean) - mean
        pairs = mean * (mean - 1)
        if len(self._group):
            spread = counts[self._contested] * self._variance
            pairs += np.bincount(self._group, spread, minlength=len(size))
        reciprocals = self._harmonic[end] - self._harmonic[start]
        ramps = size - (start + 1) * reciprocals
        total = mean / np.maximum(size, 1) * (before + 1) * reciprocals
        total += pairs / np.maximum(size * (size - 1), 1) * ramps
        return float(total.sum() / (counts @ self._n_true))
