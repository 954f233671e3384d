"""What a stack gains over the best of its models, as other ads of the kind would show it.

The model that looks best among many on all ads owes a part of its lead to luck, and scores of
different folds come from different models. So each fold is scored alone, against the model that is
best on the other folds. The bootstrap of ads says nothing of how another training would have
ended; its interval is widened for that.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from competition.evaluation.bootstrap import N_RESAMPLES, Difference, GapList, resamples, some_ads
from competition.evaluation.chosen_metric import FEW, metric_of
from competition.utils.errors import MetricError

Score = Callable[[np.ndarray], float]  # of how often each ad occurs


class _Fold(NamedTuple):
    """A fold's ads, which have a true tag, the model to beat there, and how both score on them."""

    held_out: np.ndarray
    tagged: np.ndarray
    rival: int
    ours: Score
    theirs: Score


def gain_over_best(
    name: str,
    labels: np.ndarray,
    scores: np.ndarray,
    models: np.ndarray,
    fold: np.ndarray,
    top_k: int = 20,
    seed: int = 0,
    group: np.ndarray | None = None,
) -> Difference:
    """Mean over folds of a stack's metric less that of the model that is best on the other folds.

    The interval is that of a paired bootstrap over ads, or over groups of ads: of GAP the 2.5th and
    97.5th percentile of 1,000 resamples, of another metric 1.96 standard errors of 25 to both
    sides. It is then widened about the value by ``sqrt(1 + K / (K - 1))`` for K folds, the
    correction of Nadeau and Bengio (2003, Inference for the generalization error, equation 12) for
    training sets that overlap: 1.5 for 5 folds.

    Parameters
    ----------
    name : str
        The metric, as `metric_of` takes it.
    labels : ndarray of shape (n_ads, n_tags)
        1 where the ad carries the tag, else 0; at least one is 1.
    scores : ndarray of shape (n_ads, n_tags)
        Out-of-fold scores of the stack.
    models : ndarray of shape (n_ads, n_models, n_tags)
        Out-of-fold scores of its models.
    fold : ndarray of shape (n_ads,)
        Two folds or more. Those without a true tag do not count.
    top_k : int
        Tags of an ad that enter GAP's list.
    seed : int
        The same seed gives the same interval.
    group : ndarray of shape (n_ads,) or None
        Ads of one group are drawn together.

    Notes
    -----
    Of more than 50,000 ads, a random 50,000 say which model is best and make the interval, which
    is narrowed to the number of all ads.

    Where a metric of one's own has no value on a fold alone, all ads count as one fold.

    Raises
    ------
    MetricError
        If it has none on all ads.
    """
    given = (name, labels, scores, models)
    try:
        return _gain(*given, fold, top_k, seed, group)
    except MetricError:
        return _gain(*given, np.zeros(len(labels), dtype=np.int64), top_k, seed, group)


def _gain(
    name: str,
    labels: np.ndarray,
    scores: np.ndarray,
    models: np.ndarray,
    fold: np.ndarray,
    top_k: int,
    seed: int,
    group: np.ndarray | None,
) -> Difference:
    some = some_ads(labels, seed)
    known, of_fold = labels[some], fold[some]
    tagged = np.asarray(known.any(axis=1))
    rivals = _best_on_the_others(name, known, models, some, of_fold, top_k)
    folds = [
        _Fold(
            held_out,
            tagged[held_out],
            rival,
            _score(name, known[held_out], scores[some[held_out]], top_k),
            _score(name, known[held_out], models[some[held_out], rival], top_k),
        )
        for held_out, rival in rivals
    ]
    of_group = None if group is None else group[some]
    n_resamples = N_RESAMPLES if name == "gap" else FEW
    draws = resamples(tagged, n_resamples, seed, of_group)
    value = _mean_gain(folds, np.ones(len(some), dtype=np.int64))
    found = []
    for counts in draws:
        with suppress(MetricError):  # a metric of one's own may have no value on a resample
            found.append(_mean_gain(folds, counts))
    if len(found) < 2:
        raise MetricError(f"The metric {name} has a value on none of the resamples of the ads.")
    n_folds = len(np.unique(fold))
    widened = np.sqrt(len(some) / len(labels) * (1 + n_folds / max(n_folds - 1, 1)))
    deviations = (np.array(found) - value) * widened
    if len(some) < len(labels):
        metric = metric_of(name)
        value = 0.0
        for one in folds:
            rows = np.flatnonzero(fold == of_fold[one.held_out[0]])
            ours, theirs = (
                metric(labels[rows], of[rows], top_k) for of in (scores, models[:, one.rival])
            )
            value += (ours - theirs) / len(folds)
    if name == "gap":
        low, high = np.percentile(deviations, [2.5, 97.5])
    else:
        high = 1.96 * np.std(deviations, ddof=1)
        low = -high
    return Difference(value, value + float(low), value + float(high))


def _best_on_the_others(
    name: str,
    labels: np.ndarray,
    models: np.ndarray,
    some: np.ndarray,
    fold: np.ndarray,
    top_k: int,
) -> list[tuple[np.ndarray, int]]:
    """Rows of each fold that has a true tag, and the model that is best where it is held out."""
    folds = [np.flatnonzero(fold == k) for k in np.unique(fold)]
    folds = [held_out for held_out in folds if labels[held_out].any()]
    others = np.ones((len(folds), len(labels)), dtype=np.int64)
    for place, held_out in enumerate(folds):
        others[place, held_out] = 0
        if not labels[others[place] > 0].any():  # all true tags are in one fold
            others[place] = 1
    found = np.empty((len(folds), models.shape[1]))
    for model in range(models.shape[1]):
        score = _score(name, labels, models[some, model], top_k)
        found[:, model] = [score(counts) for counts in others]
    return list(zip(folds, np.argmax(found, axis=1).tolist(), strict=True))


def _score(name: str, labels: np.ndarray, scores: np.ndarray, top_k: int) -> Score:
    if name == "gap":
        return GapList(labels, scores, top_k).gap
    metric = metric_of(name)

    def of_rows(counts: np.ndarray) -> float:
        rows = np.repeat(np.arange(len(counts)), counts)
        return metric(labels[rows], scores[rows], top_k)

    return of_rows


def _mean_gain(folds: list[_Fold], counts: np.ndarray) -> float:
    """Mean over the folds of which ads with a true tag were drawn."""
    gains = [
        one.ours(drawn) - one.theirs(drawn)
        for one in folds
        for drawn in [counts[one.held_out]]
        if drawn[one.tagged].any()
    ]
    return float(np.mean(gains))
