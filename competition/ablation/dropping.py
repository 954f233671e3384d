"""Which models can be dropped without loss: backward elimination that the score pays for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from competition.ablation.rows import only, oof_of
from competition.evaluation.metrics import gap
from competition.level2.base import MetaLearner, StackInput
from competition.level2.selection import without_fold


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


def eliminate(learner: MetaLearner, data: StackInput, top_k: int, n_jobs: int = 1) -> Pruned:
    """Drop models one by one as long as GAP does not fall below that of all of them.

    Which models fold k is predicted without is decided on the other folds alone, cross-fitted
    among themselves, so that the score of the result pays for the choice.

    Parameters
    ----------
    learner : MetaLearner
        A quick one: it is cross-fitted up to n_models ** 2 / 2 times for each fold.
    data : StackInput
    top_k : int
    n_jobs : int
        Folds at a time.
    """
    from joblib import Parallel, delayed

    found = Parallel(n_jobs=n_jobs)(
        delayed(_eliminated)(learner, without_fold(data, fold), top_k) for fold in data.folds
    )
    dropped = dict(zip(data.folds, found, strict=True))
    oof = np.empty(data.labels.shape, dtype=np.float32)
    for fold, gone in dropped.items():
        left = [model for model in data.models if model not in gone]
        held_out = data.fold == fold
        oof[held_out] = oof_of(learner, only(data, left))[held_out]
    return Pruned(dropped, oof)


def _eliminated(learner: MetaLearner, data: StackInput, top_k: int) -> tuple[str, ...]:
    def scored(models: Sequence[str]) -> float:
        return gap(data.labels, oof_of(learner, only(data, models)), top_k)

    left, gone = list(data.models), []
    enough = scored(left)
    while len(left) > 1:
        gaps = {model: scored([m for m in left if m != model]) for model in left}
        model = max(gaps, key=lambda model: gaps[model])
        if gaps[model] < enough:
            break
        left.remove(model)
        gone.append(model)
    return tuple(gone)
