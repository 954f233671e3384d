"""The networks of the folds that say what a distilled stack is worth, without a leak.

A stack's probabilities for the ads of one fold come from models that learned from the labels of
every other fold; a network that imitates them has seen those labels at second hand. The network
that is scored on a fold therefore imitates another stack: its level-1 models are fitted once more
without that fold, for each pair of folds, and its meta-learners are chosen and fitted on what these
predict.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from competition.evaluation.fold_offsets import mean_logits_of_folds, without_offsets
from competition.execution.devices import one_thread
from competition.execution.local import run_tasks
from competition.features.columns import Column, read_columns
from competition.folds import Folds
from competition.level1.models.fusion import Fusion
from competition.level1.registry import get_model
from competition.level2.base import MetaLearner
from competition.level2.data import Ads, StackData
from competition.level2.registry import get_meta_learner
from competition.level2.selection import nested_selection
from competition.oof.fold_files import FoldPrediction
from competition.oof.store import OofStore
from competition.pipeline.crossfit import FoldTask, model_defaults, run_folds
from competition.pipeline.run import RunResult

MODEL = "fusion"
PARAMETERS: dict[str, Any] = {"networks": 1}
SHARES = (1.0, 0.5, 0.25, 0.0)  # of the stack's probabilities in the targets; the rest are labels
PAIRS = "distil"  # folder beside the models


def networks_of_folds(
    result: RunResult, data: StackData, columns: Sequence[Column]
) -> dict[int, list[FoldPrediction]]:
    """Train the networks of every fold, one for each of `SHARES`.

    Parameters
    ----------
    result : RunResult
    data : StackData
        What the run's stack was made from.
    columns : sequence of Column
        What the networks read.

    Returns
    -------
    dict of int to list of FoldPrediction
        By fold, in the order of `SHARES`. The labels of a fold have no part in its predictions.
    """
    context = result.context
    candidates = {
        name: get_meta_learner(name).make(**params)
        for name, params in result.stack.parameters.items()
    }
    with result.store.locked([PAIRS], context.progress):
        _fit_pairs(result)
        others = [_without_fold(data, fold, result) for fold in data.folds]
    seed = model_defaults(context).seed
    tasks = [
        _Task(columns, seed, result.store, fold, of_others, candidates)
        for fold, of_others in zip(data.folds, others, strict=True)
    ]
    context.progress.update("distilling", 0, len(tasks))
    n_jobs = max(1, min(context.n_jobs, len(tasks)))
    found: dict[int, list[FoldPrediction]] = {}
    for of_fold in run_tasks(_networks, [(task,) for task in tasks], n_jobs=n_jobs):
        found[of_fold[0].fold] = of_fold
        context.progress.update("distilling", len(found), len(tasks))
    return found


def _pairs_store(result: RunResult, fold: int) -> OofStore:
    """Where level-1 models are kept that saw neither a fold nor another: its test ads are those."""
    folds, kept = result.store.folds, result.store.folds.of_ad != fold
    return OofStore(
        result.store.folder / PAIRS / f"without_fold_{fold}",
        result.store.tags,
        Folds(folds.ids[kept], folds.of_ad[kept]),
        folds.ids[~kept],
    )


def _fit_pairs(result: RunResult) -> None:
    """Fit every level-1 model without each pair of folds, and predict both; those stored stay.

    Whoever calls it holds the lock of `PAIRS`.
    """
    context, labels, of_ad = result.context, result.dataset.labels, result.store.folds.of_ad
    defaults = model_defaults(context)
    tasks = []
    for fold in range(result.store.folds.n):
        store = _pairs_store(result, fold)
        for job in result.jobs:
            store.withdraw(job.name, job.fingerprint, context.progress)
            tasks += [
                FoldTask(job, other, store, labels[of_ad != fold], defaults)
                for other in range(fold + 1, result.store.folds.n)
                if not store.has_fold(job.name, other, job.fingerprint.value)
            ]
    run_folds(tasks, context, "level 1 without each pair of folds")


def _without_fold(data: StackData, fold: int, result: RunResult) -> StackData:
    """What the stack of a fold's network learns from: nothing of it has seen the fold's labels."""
    rest = np.flatnonzero(data.fold != fold)
    taken = data.take(rest)
    probabilities = np.empty(taken.ads.shape, dtype=np.float32)
    for place, model in enumerate(data.models):
        of_fold = []  # what each of these models says of the fold that none has seen
        for other in taken.folds:
            low, high = min(fold, other), max(fold, other)
            found = _pairs_store(result, low).read_fold(model, high)
            here, there = (found.held_out, found.test)[:: 1 if other == high else -1]
            probabilities[taken.fold == other, place] = here
            of_fold.append(there)
        levels = mean_logits_of_folds(np.stack(of_fold))
        places = np.searchsorted(taken.folds, taken.fold)
        probabilities[:, place] = without_offsets(probabilities[:, place], places, levels)
    return replace(taken, ads=Ads(probabilities, taken.ads.metadata, taken.ads.missing))


@dataclass(frozen=True, eq=False)
class _Task:
    """The network of one fold."""

    columns: Sequence[Column]
    seed: int
    store: OofStore
    fold: int
    others: StackData
    candidates: Mapping[str, MetaLearner]


def _networks(task: _Task) -> list[FoldPrediction]:
    """Train a fold's network with each share, and predict the fold and the test ads."""
    start = time.perf_counter()
    with one_thread(get_model(MODEL).libraries):
        soft = nested_selection(task.candidates, task.others, n_jobs=1).output.oof
        frame, folds = read_columns(task.columns), task.store.folds
        train = frame.loc[folds.ids[folds.of_ad != task.fold]]
        held_out = frame.loc[folds.ids[folds.of_ad == task.fold]]
        found = []
        for share in SHARES:
            network = new_network(task.seed).fit_soft(
                train, targets(share, soft, task.others.labels)
            )
            predicted = network.predict_proba(held_out)
            tests = network.predict_proba(frame.loc[task.store.test_ids])
            found.append(FoldPrediction(task.fold, predicted, tests, time.perf_counter() - start))
        return found


def targets(share: float, soft: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean of the stack's probabilities and of labels, which a network learns from."""
    return np.asarray(share * soft + (1 - share) * labels, dtype=np.float32)


def new_network(seed: int) -> Fusion:
    """Return an unfitted network."""
    return Fusion(random_state=seed, device="cpu", **PARAMETERS)
