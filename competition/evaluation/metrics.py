"""Metrics of scores: GAP, mAP, F1 and accuracy.

Every metric takes `labels`, 0 or 1, and `scores`, any numbers but NaN, both arrays of shape
(n_ads, n_tags). It raises a MetricError if the shapes do not fit, a label is neither 0 nor 1, a
score is NaN, or no ad has a tag. GAP and mAP use the order of the scores alone; F1 and accuracy
count a tag as predicted where its score is at least 0.5.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from competition.utils.errors import MetricError

# Ads whose best tags are chosen at once: large enough for numpy, small enough for memory.
_CHUNK = 1 << 14
_THRESHOLD = 0.5


@dataclass(frozen=True)
class Scores:
    """Every metric of one set of predictions.

    Attributes
    ----------
    gap : float
        GAP with all ads in one list, as the leaderboard computes it.
    gap_folds : float or None
        Mean of the folds' own GAPs, or None where the ads have no folds.
    gap_by_dimension : dict of str to float
        GAP among the tags of one dimension; a dimension that no ad has a tag of is left out.
    map : float
        Mean over tags of average precision.
    f1_c, f1_o : float
        Mean over tags of F1, and F1 over all decisions.
    accuracy : float
        Share of all decisions that are right.
    """

    gap: float
    gap_folds: float | None
    gap_by_dimension: dict[str, float]
    map: float
    f1_c: float
    f1_o: float
    accuracy: float


def score(
    labels: np.ndarray,
    scores: np.ndarray,
    dimensions: Sequence[str],
    fold: np.ndarray | None = None,
    top_k: int = 20,
) -> Scores:
    """Compute every metric; without `fold` there is no mean over folds.

    Examples
    --------
    >>> from competition import score
    >>> found = score([[1, 0], [0, 1]], [[0.9, 0.4], [0.7, 0.6]], ["place", "mood"])
    >>> round(found.gap, 4), found.map, found.accuracy
    (0.8333, 1.0, 0.75)
    """
    labels, scores = _checked(labels, scores)
    of_all = gap(labels, scores, top_k)
    one_dimension = len(dimensions) == scores.shape[1] and len(set(dimensions)) == 1
    return Scores(
        gap=of_all,
        gap_folds=None if fold is None else gap_mean_of_folds(labels, scores, fold, top_k),
        gap_by_dimension=(
            {dimensions[0]: of_all}
            if one_dimension
            else gap_by_dimension(labels, scores, dimensions, top_k)
        ),
        map=mean_average_precision(labels, scores),
        f1_c=f1_per_class(labels, scores),
        f1_o=f1_overall(labels, scores),
        accuracy=accuracy(labels, scores),
    )


def gap(labels: np.ndarray, scores: np.ndarray, top_k: int = 20) -> float:
    """Global average precision over the `top_k` best tags of each ad.

    The best tags of all ads form one list, best first. GAP is the sum over its hits of
    (hits so far / rank), divided by the number of all true tags, listed or not: the metric of the
    YouTube-8M challenge (Kaggle, 2017) and of the TAAC 2021 leaderboard.

    Where scores are equal the order is a matter of chance. The result is the exact expected value
    over all orders, both among an ad's tags at the edge of its `top_k` and within the list; it
    depends neither on a seed nor on the order of ads and tags.

    Parameters
    ----------
    labels : ndarray of shape (n_ads, n_tags)
        1 where the ad carries the tag, else 0.
    scores : ndarray of shape (n_ads, n_tags)
    top_k : int
        Tags of an ad that enter the list; all of them where there are fewer.

    Raises
    ------
    MetricError
        As every metric, and if `top_k` is below 1.

    Examples
    --------
    The list is 0.9 (right), 0.7 (wrong), 0.6 (right), 0.4 (wrong): (1/1 + 2/3) / 2.

    >>> from competition import gap
    >>> round(gap([[1, 0], [0, 1]], [[0.9, 0.4], [0.7, 0.6]]), 4)
    0.8333
    """
    labels, scores = _checked(labels, scores)
    if top_k < 1:
        raise MetricError(f"top_k is {top_k}; GAP needs at least one tag of each ad.")
    n_ads, n_tags = scores.shape
    k = min(top_k, n_tags)
    values, hits = np.empty(n_ads * k, scores.dtype), np.empty(n_ads * k)
    edges, variances = [], []
    for start in range(0, n_ads, _CHUNK):
        rows = slice(start, start + _CHUNK)
        listed = slice(start * k, (start + _CHUNK) * k)
        values[listed], hits[listed], _, edge, variance = best_tags(labels[rows], scores[rows], k)
        edges.append(edge)
        variances.append(variance)
    total = _expected_precisions(values, hits, np.concatenate(edges), np.concatenate(variances))
    return float(total / np.count_nonzero(labels))


def gap_mean_of_folds(
    labels: np.ndarray, scores: np.ndarray, fold: np.ndarray, top_k: int = 20
) -> float:
    """Mean over folds of the GAP of each fold's ads alone.

    Scores of different folds come from different models and need not be comparable; this mean
    never compares them. `fold` has shape (n_ads,). A MetricError, too, if it does not fit the ads
    or the ads of a fold have no true tag.
    """
    labels, scores = _checked(labels, scores)
    fold = np.asarray(fold)
    if fold.shape != (len(scores),):
        raise MetricError(
            f"Folds of shape {fold.shape} do not fit {len(scores)} ads; give one fold per ad."
        )
    gaps = []
    for k in np.unique(fold):
        held_out = fold == k
        if not labels[held_out].any():
            raise MetricError(
                f"Fold {k} has no true tag among its {held_out.sum()} ads, so it has no GAP. "
                "Use fewer folds."
            )
        gaps.append(gap(labels[held_out], scores[held_out], top_k))
    return float(np.mean(gaps))


def gap_by_dimension(
    labels: np.ndarray, scores: np.ndarray, dimensions: Sequence[str], top_k: int = 20
) -> dict[str, float]:
    """GAP of each dimension, with its own tags as if there were no others.

    `dimensions` names the dimension of each tag. The result is in the order in which it first names
    them, without those that no ad has a tag of. A MetricError if it does not fit the tags.
    """
    labels, scores = _checked(labels, scores)
    if len(dimensions) != scores.shape[1]:
        raise MetricError(
            f"{len(dimensions)} dimensions do not fit {scores.shape[1]} tags; give one per tag."
        )
    gaps = {}
    for dimension in dict.fromkeys(dimensions):
        columns = [i for i, name in enumerate(dimensions) if name == dimension]
        if labels[:, columns].any():
            gaps[dimension] = gap(labels[:, columns], scores[:, columns], top_k)
    return gaps


def mean_average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """Mean of the average precision of each tag, over the tags that at least one ad carries.

    Examples
    --------
    >>> from competition import mean_average_precision
    >>> mean_average_precision([[1, 0], [0, 1], [0, 1]], [[0.9, 0.4], [0.7, 0.6], [0.1, 0.2]])
    0.9166666666666666
    """
    labels, scores = _checked(labels, scores)
    return float(np.nanmean(average_precisions(labels, scores)))


def average_precisions(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Average precision of each tag, (n_tags,) float64; NaN for a tag that no ad carries.

    That of scikit-learn's `average_precision_score`: ads of equal score count as one step.
    """
    labels, scores = _checked(labels, scores)
    precisions = np.full(labels.shape[1], np.nan)
    for tag in np.flatnonzero(labels.any(axis=0)):
        order = np.argsort(-scores[:, tag])
        ranked = scores[order, tag]
        ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # of equal scores
        hits = np.cumsum(labels[order, tag])[ends]
        precisions[tag] = np.sum(np.diff(hits, prepend=0) * hits / (ends + 1)) / hits[-1]
    return precisions


def f1_per_class(labels: np.ndarray, scores: np.ndarray) -> float:
    """F1-C: the mean over all tags of F1 at threshold 0.5.

    A tag that is neither true nor predicted anywhere has an F1 of 0.
    """
    labels, scores = _checked(labels, scores)
    return float(np.mean(_f1(labels, scores >= _THRESHOLD, axis=0)))


def f1_of_means(labels: np.ndarray, scores: np.ndarray) -> float:
    """CF1: F1 of the mean precision and the mean recall over tags, at threshold 0.5.

    What Chen et al. (2019), "Multi-label image recognition with graph convolutional networks",
    call CF1; it is no mean of F1s. A precision or a recall of 0 / 0 is 0.

    Examples
    --------
    One tag is right once of twice predicted, one is missed: precisions 1/2 and 0, recalls 1 and 0.

    >>> from competition.evaluation.metrics import f1_of_means
    >>> f1_of_means([[1, 0], [0, 1]], [[0.9, 0.4], [0.7, 0.1]])
    0.3333333333333333
    """
    labels, scores = _checked(labels, scores)
    predicted = scores >= _THRESHOLD
    hits = (labels & predicted).sum(axis=0)
    precision = np.mean(hits / np.maximum(predicted.sum(axis=0), 1))
    recall = np.mean(hits / np.maximum(labels.sum(axis=0), 1))
    return float(2 * precision * recall / (precision + recall)) if hits.any() else 0.0


def f1_overall(labels: np.ndarray, scores: np.ndarray) -> float:
    """F1-O: F1 at threshold 0.5 over the decisions of all ads and tags together."""
    labels, scores = _checked(labels, scores)
    return float(_f1(labels, scores >= _THRESHOLD, axis=None))


def _f1(labels: np.ndarray, predicted: np.ndarray, axis: int | None) -> np.ndarray:
    """2 TP / (true + predicted), 0 where that is 0 / 0."""
    hits = np.sum(labels & predicted, axis=axis)
    given = np.sum(labels, axis=axis) + np.sum(predicted, axis=axis)
    return 2 * hits / np.maximum(given, 1)


def accuracy(labels: np.ndarray, scores: np.ndarray) -> float:
    """Share of the n_ads x n_tags decisions at threshold 0.5 that are right."""
    labels, scores = _checked(labels, scores)
    return float(np.mean((scores >= _THRESHOLD) == labels))


def _checked(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return labels as bool and scores as floats, or say what is wrong with them."""
    labels = np.asarray(labels)
    scores = np.asarray(scores)
    if scores.ndim != 2:
        raise MetricError(f"Scores must have the shape (n_ads, n_tags), got {scores.shape}.")
    if labels.shape != scores.shape:
        raise MetricError(
            f"Labels of shape {labels.shape} do not fit scores of shape {scores.shape}; "
            "both must be (n_ads, n_tags)."
        )
    if scores.dtype.kind not in "biuf":
        raise MetricError(f"Scores must be numbers, got an array of {scores.dtype}.")
    if scores.dtype not in (np.float32, np.float64):
        scores = scores.astype(np.float64)
    undefined = np.isnan(scores)
    if undefined.any():
        ad, tag = np.argwhere(undefined)[0]
        raise MetricError(
            f"The score in row {ad}, column {tag} is NaN ({undefined.sum()} in all). "
            "Give every ad a number for every tag."
        )
    if labels.dtype != np.bool_:
        wrong = (labels != 0) & (labels != 1)
        if wrong.any():
            ad, tag = np.argwhere(wrong)[0]
            raise MetricError(
                f"The label in row {ad}, column {tag} is {labels[ad, tag]}; labels must be 0 or 1."
            )
        labels = labels.astype(np.bool_)
    if not labels.any():
        raise MetricError(
            f"None of the {len(labels)} ads has a true tag, so there is nothing to measure. "
            "Give labels with at least one 1."
        )
    return labels, scores


def best_tags(
    labels: np.ndarray, scores: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Choose the k best tags of each ad; give those that chance decides on their expected hit.

    Returns the chosen scores and the probability of each to be a hit, both of shape (n_ads * k,);
    then the ads whose last places are contested by tags of equal score, with that score and the
    variance of the hits among them.
    """
    n_tags = scores.shape[1]
    last = np.partition(scores, n_tags - k, axis=1)[:, n_tags - k, None]
    kept = scores >= last
    contested = np.flatnonzero(np.count_nonzero(kept, axis=1) > k)
    tied = scores[contested] == last[contested]
    # Of m tied tags, p of them true, c are drawn: the hits are hypergeometric.
    m = np.count_nonzero(tied, axis=1)
    p = np.count_nonzero(tied & labels[contested], axis=1)
    c = k - np.count_nonzero(scores[contested] > last[contested], axis=1)
    kept[contested] &= ~tied | (np.cumsum(tied, axis=1) <= c[:, None])
    hits = labels.astype(np.float64)
    hits[contested] = np.where(tied, (p / m)[:, None], hits[contested])
    variance = c * (p / m) * (1 - p / m) * (m - c) / (m - 1)
    places = np.flatnonzero(kept)  # several times faster than to index by `kept` itself
    return scores.ravel()[places], hits.ravel()[places], contested, last[contested, 0], variance


def _expected_precisions(
    values: np.ndarray, hits: np.ndarray, edge: np.ndarray, variance: np.ndarray
) -> np.float64:
    """Sum (hits so far / rank) over hits; its expected value over all orders of equal values.

    Let a group of g equal values come after R others with H expected hits, and hold h hits. Its
    place j is a hit with probability h / g, and each of the j - 1 places before it is one as well
    with probability h(h - 1) / (g(g - 1)). H and h are independent, for the places that an ad's
    tags compete for are all in one group. So the group adds

        sum over j of (E[h] (H + 1) / g + E[h(h - 1)] (j - 1) / (g (g - 1))) / (R + j).
    """
    order = np.argsort(values)[::-1]
    values = values[order]
    hits = hits[order]
    del order
    starts = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))
    size = np.diff(starts, append=len(values))
    mean = np.add.reduceat(hits, starts)
    before = np.cumsum(mean) - mean
    spread = np.zeros(len(starts))
    np.add.at(spread, np.searchsorted(-values[starts], -edge), variance)
    pairs = mean * (mean - 1) + spread
    reciprocals = np.add.reduceat(1.0 / np.arange(1, len(values) + 1), starts)
    # The sum of (j - 1) / (R + j) is g - (R + 1) times the sum of 1 / (R + j).
    ramps = size - (starts + 1) * reciprocals
    return np.sum(
        mean / size * (before + 1) * reciprocals + pairs / (size * np.maximum(size - 1, 1)) * ramps
    )
