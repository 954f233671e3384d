"""Ensemble selection (Caruana et al. 2004); on GAP all candidates of a round at native speed."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from competition.evaluation.chosen_metric import metric_of
from competition.level2.base import MetaLearner
from competition.level2.data import Ads, StackData
from competition.level2.registry import meta_learner
from competition.utils.errors import ModelError
from competition.utils.parameters import Count, Whole

if TYPE_CHECKING:
    from optuna import Trial

# A mean probability becomes the upper bits of the float32 that holds its odds, which fit 15 bits:
# 9 bits of mantissa tell odds apart that differ by 0.2 %, between 2**-24 and 2**24, which is all
# that float32 tells from 0 and 1.
SHIFT = 14
LOWEST = (127 - 24) << (23 - SHIFT)
N_CODES = 48 << (23 - SHIFT)
HALF = 1 << 14  # the largest power of two below N_CODES
LANES = 32  # 16-bit codes in a 512-bit register


@meta_learner("greedy")
class Greedy(MetaLearner):
    """Ensemble selection: to a bag, add the model that raises the score most, again and again.

    The score is GAP, or the metric of the data.

    Caruana et al., "Ensemble Selection from Libraries of Models" (2004), with replacement and
    sorted initialisation: the bag begins with the n best models, n being the number up to `start`
    with the highest scores. A model added twice weighs twice. A round adds the best candidate even
    where the score falls, for a later one may bring more than it costs; the best bag is kept.

    Ties are decided alike everywhere: among models of equal score the first of the store's order is
    taken, among bags the smaller one.

    Parameters
    ----------
    start : int
        Most models that the bag begins with.
    rounds : int
        Models added to it.
    """

    complexity = 2

    def __init__(self, start: Count = 5, rounds: Whole = 20) -> None:
        self.start = start
        self.rounds = rounds

    @staticmethod
    def search_space(trial: "Trial") -> dict[str, Any]:
        """What `tune` tries."""
        return {
            "start": trial.suggest_int("start", 1, 20, log=True),
            "rounds": trial.suggest_int("rounds", 0, 100),
        }

    def _fit(self, data: StackData) -> None:
        if self.start < 1 or self.rounds < 0:
            raise ModelError(
                f"Greedy needs start of 1 or more and rounds of 0 or more, got start = "
                f"{self.start} and rounds = {self.rounds}."
            )
        self.counts_ = select(
            data.ads.probabilities,
            data.labels,
            self.start,
            self.rounds,
            data.top_k,
            data.n_threads,
            data.metric,
        )

    def _predict_proba(self, ads: Ads) -> np.ndarray:
        probabilities = ads.probabilities
        mean = np.zeros(probabilities[:, 0].shape)
        for model in np.flatnonzero(self.counts_):
            mean += probabilities[:, model] * (self.counts_[model] / self.counts_.sum())
        return mean.clip(0, 1)


def select(
    probabilities: np.ndarray,
    labels: np.ndarray,
    start: int,
    rounds: int,
    top_k: int,
    n_threads: int = 1,
    metric: str = "gap",
) -> np.ndarray:
    """Say how often each model is in the best bag.

    Parameters
    ----------
    probabilities : ndarray of shape (n_ads, n_models, n_tags), dtype float32
    labels : ndarray of shape (n_ads, n_tags), dtype uint8
    start, rounds : int
        See `Greedy`.
    top_k : int
        Tags of an ad that enter GAP's list.
    n_threads : int
        Candidates judged at a time; it changes nothing but the time taken.
    metric : str
        What a bag is judged by (`competition.evaluation.chosen_metric`).

    Returns
    -------
    ndarray of shape (n_models,), dtype int64
    """
    models = np.ascontiguousarray(probabilities.transpose(1, 0, 2))
    bag, size = np.zeros_like(models[0]), 0

    def judged(bag: np.ndarray, size: int, models: np.ndarray) -> np.ndarray:
        if metric == "gap":
            return candidate_gaps(bag, size, models, labels, top_k, n_threads)
        means = ((bag + model) / np.float32(size + 1) for model in models)
        return np.array([metric_of(metric)(labels, mean, top_k) for mean in means])

    order = np.argsort(-judged(bag, size, models), kind="stable")
    counts = np.zeros(len(models), dtype=np.int64)
    best, best_score = counts, -np.inf
    for model in order[:start]:
        score = judged(bag, size, models[model][None])[0]
        bag, size = bag + models[model], size + 1
        counts = counts + (np.arange(len(models)) == model)
        if score > best_score:
            best, best_score = counts, score
    counts, size = best, int(best.sum())
    bag = models[order[:size]].sum(axis=0)
    for _ in range(rounds):
        scores = judged(bag, size, models)
        model = int(np.argmax(scores))
        bag, size = bag + models[model], size + 1
        counts = counts + (np.arange(len(models)) == model)
        if scores[model] > best_score:
            best, best_score = counts, scores[model]
    return best


def candidate_gaps(
    bag: np.ndarray,
    size: int,
    models: np.ndarray,
    labels: np.ndarray,
    top_k: int,
    n_threads: int = 1,
) -> np.ndarray:
    """GAP of the bag's mean with each of the models added, odds rounded to 0.2 %.

    Scores that the rounding makes equal count with their expected value over all orders, as in
    `competition.evaluation.metrics.gap`; at the edge of an ad's top tags each of them is listed in
    part.

    Parameters
    ----------
    bag : ndarray of shape (n_ads, n_tags), dtype float32
        Sum of the probabilities of the models in the bag.
    size : int
        Number of models in the bag.
    models : ndarray of shape (n_models, n_ads, n_tags), dtype float32
    labels : ndarray of shape (n_ads, n_tags), dtype uint8
    top_k : int
        Tags of an ad that enter GAP's list.
    n_threads : int
        Candidates judged at a time.

    Returns
    -------
    ndarray of shape (n_models,), dtype float64
        0 where no ad has a tag.
    """
    from joblib import Parallel, delayed

    top_k = min(top_k, bag.shape[1])
    sums = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, len(bag) * top_k + 1))])
    share = np.float32(1 / (size + 1))
    kernel = _compiled_precisions()
    totals = Parallel(n_jobs=n_threads, prefer="threads")(
        delayed(kernel)(bag, model, share, labels, sums, top_k) for model in models
    )
    return np.array(totals) / max(1, np.count_nonzero(labels))


@lru_cache(maxsize=1)
def _compiled_precisions() -> Any:
    """Compile the kernel; kept on disk, so that only the first process ever waits."""
    from numba import njit

    return njit(cache=True, nogil=True, error_model="numpy")(_precisions)


def _precisions(bag, model, share, labels, sums, top_k):  # type: ignore[no-untyped-def]
    """Sum (hits so far / rank) over the hits of one candidate, by counting scores, not sorting.

    `sums` holds the partial sums of 1 / rank, from 0 on. See
    `competition.evaluation.metrics._expected_precisions` for the value of a group of equal scores.
    """
    n_ads, n_tags = bag.shape
    width = -(-n_tags // LANES) * LANES
    one, smallest = np.float32(1), np.float32(2**-24)
    odds = np.empty(n_tags, np.float32)
    bits = odds.view(np.int32)  # of positive floats, in the order of the floats
    codes = np.full(width, -1, np.int16)  # the padding is never listed
    kept = np.empty(n_tags + 1, np.int64)
    listed = np.zeros(N_CODES, np.int32)
    hits = np.zeros(N_CODES, np.float32)
    for ad in range(n_ads):
        for t in range(n_tags):
            mean = (bag[ad, t] + model[ad, t]) * share
            odds[t] = mean / max(one - mean, smallest)
        for t in range(n_tags):
            code = np.int32((bits[t] >> np.int32(SHIFT)) - np.int32(LOWEST))
            codes[t] = min(max(code, np.int32(0)), np.int32(N_CODES - 1))
        # The code of the last listed tag is the largest that top_k codes reach. Counting 16-bit
        # numbers without a branch compiles to vector instructions; a sort does not.
        edge, step = np.int16(0), np.int16(HALF)
        while step > 0:
            middle = np.int16(edge + step)
            reached = np.int16(0)
            for t in range(width):
                reached = np.int16(reached + np.int16(codes[t] >= middle))
            if reached >= top_k:
                edge = middle
                if reached == top_k:
                    break
            step = np.int16(step >> 1)
        count = 0
        for t in range(n_tags):  # no branch here either: which tags are listed is hard to foresee
            kept[count] = t
            count += codes[t] >= edge
        above, true = 0, 0
        for t in kept[:count]:
            if count == top_k or codes[t] > edge:
                listed[codes[t]] += 1
                hits[codes[t]] += labels[ad, t]
                above += 1
            else:
                true += labels[ad, t]
        if above < top_k:
            listed[edge] += top_k - above
            hits[edge] += (top_k - above) * true / (count - above)
    total, before, rank = 0.0, 0.0, 0
    for place in range(N_CODES - 1, -1, -1):
        size, hit = listed[place], float(hits[place])
        if size == 0:
            continue
        reciprocals = sums[rank + size] - sums[rank]
        total += hit / size * (before + 1) * reciprocals
        if size > 1:
            pairs = max(hit * (hit - 1), 0.0) / (size * (size - 1))
            total += pairs * (size - (rank + 1) * reciprocals)
        before += hit
        rank += size
    return total
