"""Which models of a stack are kept where an ad may take so long, or the stack be so large."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from competition.evaluation.metrics import gap
from competition.level2.crossfit import cross_fit
from competition.level2.data import StackData
from competition.level2.registry import get_meta_learner
from competition.utils.errors import ModelError

LEARNER = "pooled"  # says what a model gives: it learns from few ads, and in little time
ENOUGH = 1_000  # ads to see it by


class Cost(NamedTuple):
    """What a part of a saved stack costs: milliseconds an ad, and megabytes."""

    ms: float = 0.0
    mb: float = 0.0

    def __add__(self, other: object) -> "Cost":
        if not isinstance(other, Cost):
            return NotImplemented
        return Cost(self.ms + other.ms, self.mb + other.mb)


@dataclass(frozen=True)
class Budget:
    """The most that a stack may cost; None where it does not matter."""

    ms: float | None = None
    mb: float | None = None

    def excess(self, cost: Cost) -> float:
        """By how many budgets a cost is beyond them; 0 where it fits."""
        pairs = ((cost.ms, self.ms), (cost.mb, self.mb))
        return sum(max(0.0, one / most - 1) for one, most in pairs if most is not None)

    def __str__(self) -> str:
        parts = [f"{self.ms:g} ms an ad"] if self.ms is not None else []
        return " and ".join([*parts, *([f"{self.mb:g} MB"] if self.mb is not None else [])])


@dataclass(frozen=True)
class Costs:
    """What the parts of a saved stack cost.

    Attributes
    ----------
    models, features : dict of str to Cost
    reads : dict of str to frozenset of str
        The features that each model reads. A feature costs as long as any model of it is left.
    rest : Cost
        Reading an ad, the meta-learners, the features that these see.
    """

    models: Mapping[str, Cost]
    features: Mapping[str, Cost]
    reads: Mapping[str, frozenset[str]]
    rest: Cost

    def of(self, models: Sequence[str]) -> Cost:
        """Cost of a stack of these models."""
        needed = frozenset[str]().union(*(self.reads[model] for model in models))
        parts = [self.models[model] for model in models]
        parts += [self.features[name] for name in sorted(needed)]
        return sum(parts, self.rest)


@dataclass(frozen=True)
class Step:
    """A stack on the way to one that fits.

    Attributes
    ----------
    dropped : tuple of str
        The models that it lacks and the one before it had.
    models : tuple of str
        Those that are left.
    gap : float
        Out-of-fold GAP of a stack of them by `LEARNER`.
    cost : Cost
    """

    dropped: tuple[str, ...]
    models: tuple[str, ...]
    gap: float
    cost: Cost


@dataclass(frozen=True)
class Way:
    """The way to a stack that fits, and what choosing it so is worth.

    Attributes
    ----------
    steps : tuple of Step
        From all models to those that are kept.
    nested_gap : float
        GAP where the models of each fold's stack are chosen, and it is fitted, without the fold.
    """

    steps: tuple[Step, ...]
    nested_gap: float


def choose(data: StackData, costs: Costs, budget: Budget) -> Way:
    """Drop models, the worst for what it costs first, until the stack fits the budget.

    A step drops one model, or all that read one feature: what costs least GAP for what it saves.

    Raises
    ------
    ModelError
        If no single model fits.
    """
    cheapest = min(data.models, key=lambda model: budget.excess(costs.of([model])))
    cost = costs.of([cheapest])
    if budget.excess(cost) > 0:
        raise ModelError(
            f"No model fits {budget}: {cheapest} alone takes {cost.ms:.1f} ms an ad and "
            f"{cost.mb:.2f} MB. Allow more."
        )
    steps: list[Step] = []
    before = data.models
    for models in _way(data, costs, budget):
        dropped = tuple(model for model in before if model not in models)
        steps.append(Step(dropped, models, _oof_gap(data, models), costs.of(models)))
        before = models
    oof = np.empty(data.labels.shape, dtype=np.float32)
    for fold in data.folds:
        others, held = data.without_fold(fold), np.flatnonzero(data.fold == fold)
        models = _way(others, costs, budget)[-1]
        learner = get_meta_learner(LEARNER).make().fit(others.of_models(models))
        oof[held] = learner.predict_proba(data.of_models(models).ads.take(held))
    return Way(tuple(steps), gap(data.labels, oof, data.top_k))


def _way(data: StackData, costs: Costs, budget: Budget) -> list[tuple[str, ...]]:
    """Models that are left after each step, from all of them to those that fit."""
    way = [data.models]
    while budget.excess(costs.of(way[-1])) > 0:
        way.append(_next(data, way[-1], costs, budget))
    return way


def _next(
    data: StackData, models: tuple[str, ...], costs: Costs, budget: Budget
) -> tuple[str, ...]:
    """Models that are left after one more step, one that fits by itself among them."""
    excess = budget.excess(costs.of(models))
    fitting = [model for model in models if budget.excess(costs.of([model])) == 0]
    some = data
    if len(data.labels) > ENOUGH:
        some = data.take(np.linspace(0, len(data.labels) - 1, ENOUGH).astype(int))
    whole = _gap(some, models)
    found: list[tuple[float, tuple[str, ...]]] = []
    for dropped in _moves(models, costs.reads):
        left = tuple(model for model in models if model not in dropped)
        saved = excess - budget.excess(costs.of(left))
        if saved > 0 and not dropped.issuperset(fitting):
            found.append(((whole - _gap(some, left)) / saved, left))
    # Of models that cost nothing of their own, none saves anything by itself.
    return min(found, key=lambda pair: pair[0])[1] if found else (fitting[0],)


def _moves(models: Sequence[str], reads: Mapping[str, frozenset[str]]) -> list[frozenset[str]]:
    """What may be dropped at once: a model, or the readers of a feature; each once."""
    moves = [frozenset([model]) for model in models]
    for feature in sorted(frozenset[str]().union(*(reads[model] for model in models))):
        moves.append(frozenset(model for model in models if feature in reads[model]))
    return list(dict.fromkeys(moves))


def _gap(data: StackData, models: Sequence[str]) -> float:
    """GAP on the ads that the meta-learner was fitted to: a choice may look at all it is given."""
    own = data.of_models(models)
    fitted = get_meta_learner(LEARNER).make().fit(own)
    return gap(own.labels, fitted.predict_proba(own.ads), own.top_k)


def _oof_gap(data: StackData, models: Sequence[str]) -> float:
    learner = get_meta_learner(LEARNER).make()
    return gap(data.labels, cross_fit(learner, data.of_models(models)).oof, data.top_k)
