"""Which models can be dropped without loss: backward elimination that the score pays for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from competition.evaluation.metrics import gap
from competition.execution.local import run_tasks
from competition.level2.base import MetaLearner
from competition.level2.crossfit import cross_fit
from competition.level2.data import StackData


@dataclass(frozen=True, eq=False)
class Pruned:
    """A stack of the models that elimination left.

    Attributes
    ----------
    dropped : dict of int to tuple of str
        For each fold the models dropped, in that order, by the ads of the other folds alone.
    oof : ndarray of shape (n_train, n_tags), dtype float32
        Each fold as predicted by a stack of the models that were left for it.
    """

    dropped: dict[int, tuple[str, ...]]
    oof: np.ndarray


def eliminate(
    learner: MetaLearner,
    data: StackData,
    n_jobs: int = 1,
    each: Callable[[int], None] | None = None,
) -> Pruned:
    """Drop models one by one as long as GAP does not fall below that of all of them.

    Which models fold k is predicted without is decided on the other folds alone, cross-fitted
    among themselves, so that the score of the result pays for the choice.

    Parameters
    ----------
    learner : MetaLearner
        A quick one: it is cross-fitted up to n_models ** 2 / 2 times for each fold.
    data : StackData
    n_jobs : int
        Folds at a time.
    each : callable or None
        Hears after each fold how many are done.
    """
    tasks = [(learner, data, fold) for fold in data.folds]
    found: dict[int, tuple[str, ...]] = {}
    for fold, gone in run_tasks(_eliminated, tasks, n_jobs=n_jobs):
        found[fold] = gone
        if each is not None:
            each(len(found))
    dropped = {fold: found[fold] for fold in data.folds}
    oof = np.empty(data.labels.shape, dtype=np.float32)
    for fold, gone in dropped.items():
        left = [model for model in data.models if model not in gone]
        held_out = data.fold == fold
        oof[held_out] = cross_fit(learner, data.of_models(left)).oof[held_out]
    return Pruned(dropped, oof)


def _eliminated(learner: MetaLearner, data: StackData, fold: int) -> tuple[int, tuple[str, ...]]:
    """Drop models without looking at a fold; return the fold and the names."""
    data = data.without_fold(fold)

    def scored(models: Sequence[str]) -> float:
        return gap(data.labels, cross_fit(learner, data.of_models(models)).oof, data.top_k)

    left, gone = list(data.models), []
    enough = scored(left)
    while len(left) > 1:
        gaps = {model: scored([m for m in left if m != model]) for model in left}
        model = max(gaps, key=lambda model: gaps[model])
        if gaps[model] < enough:
            break
        left.remove(model)
        gone.append(model)
    return fold, tuple(gone)
