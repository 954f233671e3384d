"""Cross-fitting: fold by fold, fit on the other folds, predict the held-out fold and the test ads.

One (model, fold) pair is one task. A task carries all that it needs: the model's name and
parameters, the paths of its columns, labels and folds. It writes its own predictions, so that a
killed run loses at most the tasks that were running.
"""

import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from competition.config.profile import Profile
from competition.execution.devices import choose_device, gpu_capacity, one_thread
from competition.execution.engines import elsewhere, run_tasks
from competition.execution.lanes import run_in_lanes
from competition.execution.needs import GIB, Need
from competition.features.columns import Column, read_columns
from competition.level1.base import Level1Model
from competition.level1.components.seeds import SEEDS, SeedAverage
from competition.level1.registry import get_model
from competition.oof.fold_files import Fingerprint, FoldPrediction
from competition.oof.kept_models import has_model, write_model
from competition.oof.store import OofStore
from competition.pipeline.context import Context
from competition.utils.errors import CompetitionError, ModelError, WriteError
from competition.utils.files import write_text
from competition.utils.state import StateError


@dataclass(frozen=True, eq=False)
class Level1Job:
    """A level-1 model to cross-fit.

    Attributes
    ----------
    name : str
        Name in the store.
    model : str
        Name in the registry.
    params : dict
        Constructor parameters that differ from the defaults.
    columns : tuple of Column
    fingerprint : Fingerprint
    kind : {"level1", "rival"}
        Of its card.
    """

    name: str
    model: str
    params: dict[str, Any]
    columns: tuple[Column, ...]
    fingerprint: Fingerprint
    kind: Literal["level1", "rival"] = "level1"


@dataclass(frozen=True)
class ModelDefaults:
    """Values for constructor parameters that a profile leaves out.

    A model receives those that its constructor takes.

    Attributes
    ----------
    seed : int
        As ``random_state``.
    device : str
        As ``device``: where networks run.
    dimensions : tuple of str or None
        As ``dimensions``: the dimension of each tag.
    tag_names : tuple of str or None
        As ``tag_names``: the name of each tag.
    """

    seed: int = 0
    device: str = "auto"
    dimensions: tuple[str, ...] | None = None
    tag_names: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False)
class FoldTask:
    """One fold of one job."""

    job: Level1Job
    fold: int
    store: OofStore
    labels: np.ndarray
    defaults: ModelDefaults
    keep: bool = False  # the fitted model, beside its predictions


def make_estimator(
    model: str,
    params: dict[str, Any],
    defaults: ModelDefaults = ModelDefaults(),
    n_threads: int = 1,
) -> Level1Model:
    """Make an unfitted model from its parameters, and from the defaults that it takes.

    Where `SEEDS` is among the parameters, it is the mean of so many copies.

    A fold has one thread, whatever runs beside it: sums in another order have other last bits. A
    profile may set a model's `n_jobs`, which then is one of its parameters like any other.

    Raises
    ------
    ModelError
        If the constructor refuses the parameters.
    """
    entry = get_model(model)
    values = {
        "random_state": defaults.seed,
        "n_jobs": n_threads,
        "device": defaults.device,
        "dimensions": defaults.dimensions,
        "tag_names": defaults.tag_names,
    }
    known = {name: value for name, value in values.items() if name in entry.parameters}
    given = {**known, **params}
    try:
        if SEEDS not in params or SEEDS in entry.parameters:
            return entry.make(**given)
        copies, first = range(given.pop(SEEDS)), given["random_state"]
        return SeedAverage(
            tuple(entry.make(**{**given, "random_state": first + copy}) for copy in copies)
        )
    except (TypeError, ValueError) as bad:
        raise ModelError(f"The level-1 model {model!r} cannot be made: {bad}.") from bad


def model_defaults(context: Context[Profile]) -> ModelDefaults:
    """Return what the level-1 models of a command receive."""
    dataset = context.dataset
    dimensions = tuple(tag.dimension for tag in dataset.tags)
    return ModelDefaults(context.profile.seed, context.device, dimensions, tuple(dataset.tag_names))


def pending_folds(job: Level1Job, store: OofStore, keep: bool = False) -> list[int]:
    """Folds of a job whose predictions, or models if these are to be kept, are not stored yet.

    Raises
    ------
    StoreError
        If a stored file is damaged.
    """
    fingerprint = job.fingerprint.value
    return [
        fold
        for fold in range(store.folds.n)
        if not store.has_fold(job.name, fold, fingerprint)
        or (keep and not has_model(store, job.name, fold, fingerprint))
    ]


def cross_fit(jobs: Sequence[Level1Job], store: OofStore, context: Context[Profile]) -> None:
    """Run the pending folds of all jobs, some tasks at a time.

    Networks share a CUDA card one at a time, or as many as fit into its memory, while other models
    use the processors.

    Parameters
    ----------
    jobs : sequence of Level1Job
    store : OofStore
    context : Context
        Its `n_jobs` tasks run at a time, with one thread each.

    Raises
    ------
    ModelError
        If a model fails; what other tasks wrote stays.
    """
    keep, labels, defaults = context.keep_models, context.dataset.labels, model_defaults(context)
    run_folds(
        [
            FoldTask(job, fold, store, labels, defaults, keep)
            for job in jobs
            for fold in pending_folds(job, store, keep)
        ],
        context,
    )


def run_folds(tasks: Sequence[FoldTask], context: Context[Profile], stage: str = "level 1") -> None:
    """Run some folds of some jobs, as `cross_fit` does with all that are pending."""
    if not tasks:
        return
    progress = context.progress
    progress.update(stage, 0, len(tasks))
    n_jobs = max(1, min(context.n_jobs, len(tasks)))
    on_gpu = [needs_device(task.job.model) for task in tasks]
    needs = [
        Need(
            task.job.name,
            one and context.device != "cpu",
            memory=memory_of(task.job),
            task=f"Model {task.job.name}, fold {task.fold}",
        )
        for task, one in zip(tasks, on_gpu, strict=True)
    ]
    here = n_jobs > 1 and any(on_gpu) and elsewhere() is None
    device = choose_device(context.device) if here else "cpu"
    if device.startswith("cuda"):
        capacity = gpu_capacity(device)
        outcomes = run_in_lanes(
            run_task, [(task,) for task in tasks], needs, n_jobs=n_jobs, capacity=capacity
        )
    else:
        # In parts: what is large is the same in many tasks, and another machine gets it once.
        parts = [
            (task.job, task.fold, task.store, task.labels, task.defaults, task.keep)
            for task in tasks
        ]
        outcomes = run_tasks(_run_parts, parts, needs, n_jobs=n_jobs)
    for finished, (name, fold) in enumerate(outcomes, start=1):
        progress.update(stage, finished, len(tasks), f"{name}, fold {fold}")


def check_savable(name: str, model: Level1Model) -> None:
    """Raise a ModelError if a model, as yet unfitted, holds what has no plain form."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            model.save(Path(folder))
        except StateError as bad:
            raise ModelError(
                f"The model {name} cannot be kept, so nothing was trained: {bad} Or run without it."
            ) from bad


def needs_device(model: str) -> bool:
    """Whether a model is a network, which runs on the device of the command."""
    return "device" in get_model(model).parameters


def _run_parts(*parts: Any) -> tuple[str, int]:
    return run_task(FoldTask(*parts))


def run_task(task: FoldTask) -> tuple[str, int]:
    """Fit, predict and store one fold.

    Returns
    -------
    (name, fold)

    Raises
    ------
    ModelError
        If the model fails; the traceback is written beside its predictions.
    """
    job, store = task.job, task.store
    if _is_stored(task):  # by this task, on a machine that was lost afterwards
        return job.name, task.fold
    try:
        with one_thread(get_model(job.model).libraries):
            model, prediction = fit_and_predict(task)
        if task.keep:
            write_model(store, job.name, task.fold, job.fingerprint.value, model)
        store.write_fold(job.name, prediction, job.fingerprint.value)
    except CompetitionError as bad:
        raise type(bad)(f"Model {job.name}, fold {task.fold}: {bad}") from bad
    except Exception as bad:
        log = store.path(job.name, "error.txt")
        try:
            write_text(log, traceback.format_exc())
            where = f"The traceback is in {log}."
        except WriteError as unwritten:
            where = f"Its traceback cannot be kept: {unwritten}"
        raise ModelError(
            f"Model {job.name} failed in fold {task.fold}: {type(bad).__name__}: {bad}. {where} "
            "What the other models have done is kept: mend the model, or leave it out of the "
            "profile, and run again."
        ) from bad
    return job.name, task.fold


def _is_stored(task: FoldTask) -> bool:
    of = task.job.name, task.fold, task.job.fingerprint.value
    return task.store.has_fold(*of) and (not task.keep or has_model(task.store, *of))


def memory_of(job: Level1Job) -> int:
    """Bytes that a fold may need: its columns several times over, and what libraries take."""
    return GIB + 4 * sum(column.path.stat().st_size for column in job.columns)


def fit_and_predict(task: FoldTask) -> tuple[Level1Model, FoldPrediction]:
    """Fit a fresh model on all folds but one; predict that fold and the test ads."""
    start = time.perf_counter()
    job, folds = task.job, task.store.folds
    frame = read_columns(job.columns)
    held_out = folds.of_ad == task.fold
    model = make_estimator(job.model, job.params, task.defaults)
    model.fit(frame.loc[folds.ids[~held_out]], task.labels[~held_out])
    return model, FoldPrediction(
        task.fold,
        _predict(model, frame.loc[folds.ids[held_out]], job.name),
        _predict(model, frame.loc[task.store.test_ids], job.name),
        time.perf_counter() - start,
    )


def _predict(model: Any, frame: Any, name: str) -> np.ndarray:
    probabilities = model.predict_proba(frame)
    if not isinstance(probabilities, np.ndarray) or probabilities.ndim != 2:
        raise ModelError(
            f"predict_proba of {name} must return one array of shape (n_ads, n_tags), got "
            f"{type(probabilities).__name__}."
        )
    return probabilities.astype(np.float32, copy=False)
