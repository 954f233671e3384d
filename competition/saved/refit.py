"""Level-1 models fitted once more, on all training ads: one model where a run has one per fold.

A fifth of the size and of the time. But the meta-learners know the scale of out-of-fold
predictions: of models that learned from fewer ads, and whose mean over folds is smoother than any
one of them. So the log odds of a refitted model are stretched and shifted to what the models of the
folds say, on average, of the test ads, which none of them has seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from competition.config.profile import Profile
from competition.evaluation.fold_offsets import FEWEST
from competition.execution.devices import one_thread
from competition.execution.local import run_tasks
from competition.features.columns import read_columns
from competition.level1.registry import get_model, load_model
from competition.oof.kept_models import has_model, model_folder, write_model
from competition.oof.store import OofStore
from competition.pipeline.context import Context
from competition.pipeline.crossfit import (
    Level1Job,
    ModelDefaults,
    make_estimator,
    model_defaults,
)

WHOLE = "all"  # in place of a fold's name
HELD = 1e-4  # log odds beyond those of this probability say nothing of a scale


class Scale(NamedTuple):
    """From the log odds of a refitted model to those of the models of the folds."""

    slope: float = 1.0
    shift: float = 0.0


@dataclass(frozen=True, eq=False)
class _Task:
    job: Level1Job
    store: OofStore
    labels: np.ndarray
    defaults: ModelDefaults


def refit(
    jobs: Sequence[Level1Job], store: OofStore, context: Context[Profile]
) -> dict[str, Scale]:
    """Fit level-1 models on all training ads and keep them, unless they are kept already.

    Returns
    -------
    dict of str to Scale
        Of each model; the identity where there are too few test ads to tell.
    """
    labels, defaults = context.dataset.labels, model_defaults(context)
    tasks = [
        _Task(job, store, labels, defaults)
        for job in jobs
        if not has_model(store, job.name, WHOLE, job.fingerprint.value)
    ]
    context.progress.update("fitting on all ads", 0, len(tasks))
    with store.locked([task.job.name for task in tasks], context.progress):
        n_jobs = max(1, min(context.n_jobs, len(tasks)))
        for done, name in enumerate(run_tasks(_fit, [(one,) for one in tasks], n_jobs=n_jobs), 1):
            context.progress.update("fitting on all ads", done, len(tasks), name)
    return {job.name: _scale(job, store) for job in jobs}


def _fit(task: _Task) -> str:
    job, store = task.job, task.store
    with one_thread(get_model(job.model).libraries):
        frame = read_columns(job.columns)
        model = make_estimator(job.model, job.params, task.defaults)
        model.fit(frame.loc[store.folds.ids], task.labels)
        write_model(store, job.name, WHOLE, job.fingerprint.value, model)
    return job.name


def _scale(job: Level1Job, store: OofStore) -> Scale:
    """Compare a refitted model with the mean of the models of the folds, on the test ads."""
    if len(store.test_ids) < FEWEST:
        return Scale()
    model = load_model(job.model, model_folder(store, job.name, WHOLE))
    frame = read_columns(job.columns).loc[store.test_ids]
    with one_thread(get_model(job.model).libraries):
        refitted = model.predict_proba(frame)
    return fitted_scale(refitted, store.read(job.name)[1])


def fitted_scale(refitted: np.ndarray, of_folds: np.ndarray) -> Scale:
    """Fit a line from the log odds of one array of probabilities to those of another.

    The line through both means with the ratio of both spreads: a least-squares line would be
    flatter the less they agree.
    """
    x, y = _logits(refitted), _logits(of_folds)
    if x.std() < 1e-6 or y.std() < 1e-6:
        return Scale(1.0, float(y.mean() - x.mean()))
    slope = float(y.std() / x.std())
    return Scale(slope, float(y.mean() - slope * x.mean()))


def rescaled(probabilities: np.ndarray, scale: Scale) -> np.ndarray:
    """Stretch and shift the log odds of probabilities; 0 and 1 stay as they are."""
    if scale == Scale():
        return probabilities
    p = probabilities.astype(np.float64)
    inside = (p > 0) & (p < 1)
    moved = scale.slope * np.log(p[inside] / (1 - p[inside])) + scale.shift
    p[inside] = 1 / (1 + np.exp(-moved))
    return p.astype(np.float32)


def _logits(probabilities: np.ndarray) -> np.ndarray:
    held = np.clip(probabilities.astype(np.float64), HELD, 1 - HELD)
    return np.log(held / (1 - held))
