"""The leaderboard: what each model scores, what it adds to the stack, and how alike they err."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from competition.evaluation.bootstrap import resampled
from competition.evaluation.metrics import Scores, gap
from competition.level2.crossfit import cross_fit
from competition.level2.data import StackData
from competition.level2.registry import get_meta_learner
from competition.oof.cards import Card, ExternalCard, StackCard
from competition.pipeline.origins import ELSEWHERE
from competition.report.shown import Shown

N_RESAMPLES = 200
QUICK = "pooled"  # stacks what is left when a model is left out, as in `ablate`
ENOUGH = 1_000  # ads to see by which models differ in their worth
MOST_LEFT_OUT = 16  # models: of more, what each of the best adds to a stack of these
RESAMPLED = 2_000  # ads that an interval is drawn from


@dataclass(frozen=True)
class Entry:
    """A line of the leaderboard.

    Attributes
    ----------
    name : str
    kind : str
        "level 1", "made elsewhere", "stack" or "candidate".
    scores : Scores or None
        None of a candidate, of which the GAP alone is stored.
    gap : float
    low, high : float or None
        95% bootstrap interval of GAP over ads.
    seconds : float or None
    made_from : str
    adds : float or None
        GAP that the stack of all models has above the stack without this one; of more than 16
        models, the stack of the best 16.
    is_submitted : bool
    """

    name: str
    kind: str
    scores: Scores | None
    gap: float
    low: float | None = None
    high: float | None = None
    seconds: float | None = None
    made_from: str = ""
    adds: float | None = None
    is_submitted: bool = False


@dataclass(frozen=True, eq=False)
class Likeness:
    """Correlation of the models' errors, alike ones side by side.

    Attributes
    ----------
    models : list of str
    correlations : ndarray of shape (n_models, n_models)
    """

    models: list[str]
    correlations: np.ndarray


def leaderboard(shown: Shown) -> list[Entry]:
    """Return all entries, the highest GAP first."""
    data, cards = shown.data, sorted(shown.cards, key=lambda card: -card.scores.gap)
    if len(cards) > MOST_LEFT_OUT:
        best = {card.model for card in cards[:MOST_LEFT_OUT]}
        data = data.of_models([model for model in data.models if model in best])
    adds = what_each_adds(data)
    found = [
        _entry(card, shown, shown.data.ads.probabilities[:, place], adds.get(card.model))
        for place, card in enumerate(shown.cards)
    ]
    for card in (shown.stack, *shown.beside):
        found.append(_entry(card, shown, shown.store.read(card.model, card)[0][shown.rows], None))
    stored = {entry.name for entry in found}
    if len(shown.stack.candidates) > 1:
        found += [
            Entry(name, "candidate", None, value)
            for name, value in shown.stack.candidates.items()
            if f"stack-{name}" not in stored
        ]
    return sorted(found, key=lambda entry: -entry.gap)


def _entry(card: Card, shown: Shown, oof: np.ndarray, adds: float | None) -> Entry:
    low, high = interval(shown, oof, card.scores.gap)
    elsewhere, stack = isinstance(card, ExternalCard), isinstance(card, StackCard)
    return Entry(
        card.model,
        "stack" if stack else "made elsewhere" if elsewhere else "level 1",
        card.scores,
        card.scores.gap,
        low,
        high,
        card.seconds,
        "" if isinstance(card, StackCard) else getattr(card, "origin", ELSEWHERE),
        adds,
        card.model == shown.stack.model,
    )


def interval(shown: Shown, oof: np.ndarray, value: float) -> tuple[float, float]:
    """95% bootstrap interval of a GAP over ads, moved to the GAP of all ads."""
    some = evenly(len(oof), RESAMPLED)
    if not shown.data.labels[some].any():
        some = np.arange(len(oof))
    top_k = shown.dataset.submission.top_k
    found = resampled(shown.data.labels[some], oof[some], top_k, N_RESAMPLES, seed=0)
    narrower = np.sqrt(len(some) / shown.n_ads)
    low, high = np.percentile(found.resamples - found.value, [2.5, 97.5]) * narrower
    return float(value + low), float(value + high)


def evenly(n: int, most: int) -> np.ndarray:
    """Return positions among `n` at even distances, `most` of them at most."""
    return np.linspace(0, n - 1, min(n, most)).astype(int)


def what_each_adds(data: StackData) -> dict[str, float]:
    """GAP of a stack of all models less that of a stack without one, for each; {} of one model."""
    if len(data.models) < 2:
        return {}
    if len(data.labels) > ENOUGH:
        data = data.take(evenly(len(data.labels), ENOUGH))
    learner = get_meta_learner(QUICK)
    if learner.lacks or not data.labels.any():
        return {}

    def stacked(models: Sequence[str]) -> float:
        return gap(data.labels, cross_fit(learner.make(), data.of_models(models)).oof, data.top_k)

    whole = stacked(data.models)
    return {
        model: whole - stacked([other for other in data.models if other != model])
        for model in data.models
    }


def likeness(data: StackData) -> Likeness | None:
    """Correlate the errors of every two models, and put alike ones side by side; None of one."""
    from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
    from scipy.spatial.distance import squareform

    n_models = len(data.models)
    if n_models < 2:
        return None
    some = data.take(evenly(len(data.labels), 5_000))
    errors = some.ads.probabilities - some.labels[:, None]
    flat = errors.transpose(1, 0, 2).reshape(n_models, -1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.nan_to_num(np.corrcoef(flat))
    np.fill_diagonal(found, 1)
    order = np.arange(n_models)
    if n_models > 2:
        distances = squareform(np.clip(1 - found, 0, 2), checks=False)
        order = leaves_list(optimal_leaf_ordering(linkage(distances, "average"), distances))
    return Likeness([data.models[place] for place in order], found[np.ix_(order, order)])
