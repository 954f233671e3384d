"""Tuning: an Optuna study of a model's parameters on the project's folds.

::

    oof/<dataset>/tuning/studies.sqlite    every trial of every study, unless --storage names one
    oof/<dataset>/tuning/<model>.toml      the profile with the best values
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from competition.config.profile import Profile
from competition.config.toml import profile_toml
from competition.datasets.base import AdDataset
from competition.evaluation.chosen_metric import CALLED
from competition.execution.engines import LOCAL, elsewhere, running_on
from competition.pipeline.context import Context, open_context, open_store
from competition.pipeline.extract import extract_features
from competition.pipeline.settings import refuse_limits
from competition.tuning.side_by_side import search_side_by_side
from competition.tuning.study import (
    JOURNAL,
    absolute,
    claim,
    complete,
    ends,
    enqueue_start,
    importances,
    is_start,
    n_finished,
    open_study,
    sampler_of_next,
    shown_url,
    storage_told,
    unfailed,
)
from competition.tuning.targets import Tunable, tunable_model, tunable_stack
from competition.tuning.trials import best_so_far, score_of
from competition.utils.errors import TuningError
from competition.utils.files import PathLike, write_text
from competition.utils.progress import Progress

if TYPE_CHECKING:
    from optuna import Study, Trial

N_TRIALS = 30


@dataclass(frozen=True, eq=False)
class Tuned:
    """What a study has found.

    Attributes
    ----------
    dataset, name : str
    metric : str
        What the score is: "gap", or as the profile has it.
    start, best : dict
        Tuned parameters as the profile had them, and of the best trial.
    start_score, best_score : float
        Their out-of-fold score, of all folds together.
    complete, pruned, failed : int
        Trials by their end.
    importances : dict of str to float
        Share of each parameter in what makes a trial good; empty where there are too few trials.
    study, storage : str
        Name of the study, and the URL that holds it, without its password.
    path : Path
        The profile with the best values.
    """

    dataset: str
    name: str
    metric: str
    start: dict[str, Any]
    best: dict[str, Any]
    start_score: float
    best_score: float
    complete: int
    pruned: int
    failed: int
    importances: dict[str, float]
    study: str
    storage: str
    path: Path


def tune(
    name: str,
    data: PathLike,
    profile: Profile,
    out: PathLike = ".",
    *,
    n_trials: int = N_TRIALS,
    timeout: float | None = None,
    storage: str | None = None,
    write: PathLike | None = None,
    n_jobs: int | None = None,
    device: str = "auto",
    on: str = LOCAL,
    progress: Progress | None = None,
) -> Tuned:
    """Search the parameters of a model, or of the stack, for the highest OOF score.

    The score is GAP, or the profile's metric. The first trial has the profile's values. A trial is
    pruned when its score over the folds done so far lies below that of most complete ones. The name
    of a study holds a digest of all that its trials must share, so that a changed dataset starts a
    new one. An interrupted study goes on and ends with the same trials as an uninterrupted one.

    Parameters
    ----------
    name : str
        A level-1 model, or "stack".
    data : path
        Folder of ads.
    profile : Profile
    out : path
        Folder that holds ``oof/`` and ``cache/``.
    n_trials : int
        Trials that the study has at its end, complete or pruned, earlier ones included.
    timeout : float or None
        Seconds, above 0, after which no further trial begins.
    storage : str or None
        URL of a database as Optuna takes it, or ``journal:PATH`` of a file on a shared folder;
        several machines may share one.
    write : path or None
        File for the best profile, instead of one below ``out``.
    n_jobs : int or None
        Folds at a time; None takes one per core.
    device : str
        Where networks run.
    on : str
        Where trials run: "local", or side by side on "ray", "slurm" or "slurm:local". What is drawn
        next then depends on which trials have ended.
    progress : Progress or None

    Raises
    ------
    TuningError
        If the model cannot be tuned, the storage cannot be opened, the time is no time, or no trial
        is complete.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from competition import load_profile, make_demo, tune
    >>> profile = load_profile("text", ["folds.n=3"])
    >>> with TemporaryDirectory() as folder:
    ...     make_demo(f"{folder}/ads", 40, films=False)
    ...     tuned = tune("tfidf_logreg", f"{folder}/ads", profile, folder, n_trials=2, n_jobs=1)
    >>> tuned.start["C"], tuned.best_score >= tuned.start_score
    (4.0, True)
    """
    refuse_limits(profile, "tune")
    if timeout is not None and not 0 < timeout < np.inf:
        raise TuningError(f"timeout = {timeout:g}: a number of seconds above 0 is expected.")
    if storage is not None and (on != LOCAL or elsewhere() is not None):
        _check_shared(storage)
    deadline = time.monotonic() + (np.inf if timeout is None else timeout)
    context = open_context(data, profile, out, n_jobs=n_jobs, device=device, progress=progress)
    with running_on(on, context.out, context.dataset.root, n_jobs, context.progress):
        return _tune(name, context, n_trials, deadline, storage, write)


def _check_shared(storage: str) -> None:
    """Raise a TuningError if machines cannot share a storage."""
    if storage.startswith(("sqlite:", "sqlite+")):
        raise TuningError(
            "Machines cannot share a database of SQLite: give journal:PATH, a file that they all "
            "see, or the URL of a database server, or leave --storage out."
        )


def _tune(
    name: str,
    context: Context[Profile],
    n_trials: int,
    deadline: float,
    storage: str | None,
    write: PathLike | None,
) -> Tuned:
    context, _ = extract_features(context)
    dataset, store, profile = context.dataset, open_store(context), context.profile
    # A trial that runs elsewhere takes its folds one after another, and reports in the study.
    away = elsewhere() is not None
    within = replace(context, n_jobs=1, progress=Progress()) if away else context
    if name == "stack":
        tunable = tunable_stack(within, store)
    else:
        tunable = tunable_model(name, within, store)
    folder = context.tuning_folder
    path = folder / f"{tunable.name}.toml" if write is None else Path(write)
    if storage is None:
        folder.mkdir(parents=True, exist_ok=True)
        storage = f"sqlite:///{(folder / 'studies.sqlite').resolve()}"
        if away:
            storage = f"{JOURNAL}{folder / 'studies.journal'}"
    storage = absolute(storage)
    # Two that make a database at once would both fill it.
    with store.locked(["studies"], context.progress):
        study = open_study(f"{dataset.name}/{tunable.name}/{tunable.identity[:16]}", storage)
    with storage_told(storage):
        if away:
            search_side_by_side(study, storage, tunable, context, n_trials, deadline)
        else:
            search(study, tunable, dataset, n_trials, deadline, profile, context.progress)
        tuned = _summary(study, tunable, dataset, profile.metric, storage, path)
    called = CALLED.get(tuned.metric, tuned.metric)
    head = (
        f"# OOF {called} {tuned.best_score:.6f}, the best of {tuned.complete} complete trials of\n"
    )
    head += f"# the study {tuned.study}; optimistic, for these folds have chosen it.\n"
    write_text(tuned.path, head + profile_toml(tunable.profile_with(tuned.best)))
    return tuned


def search(
    study: "Study",
    tunable: Tunable,
    dataset: AdDataset,
    n_trials: int,
    deadline: float,
    profile: Profile,
    progress: Progress,
) -> None:
    """Add trials until there are enough, the first of them among them, or the time is up."""
    done = n_finished(study)
    if done:
        progress.remark(f"{study.study_name}: {done} finished trial(s) are stored, and kept")

    def report(about: str) -> None:
        progress.update(f"tuning {tunable.name}", done, max(done, n_trials), best + about)

    def objective(trial: "Trial") -> float:
        claim(trial)
        return score_of(trial, tunable, dataset, profile.metric, report)

    best = best_so_far(study, profile.metric)
    while not ends(study, n_trials, deadline, progress):
        enqueue_start(study, tunable.start, again=done >= n_trials)
        study.sampler = sampler_of_next(study, profile.seed)
        study.optimize(objective, n_trials=1)
        done, best = n_finished(study), best_so_far(study, profile.metric)
    report("done")


def _summary(
    study: "Study", tunable: Tunable, dataset: AdDataset, metric: str, storage: str, path: Path
) -> Tuned:
    scored = complete(study)
    start = next((trial for trial in scored if is_start(trial)), None)
    if start is None:
        raise TuningError(
            f"The study {study.study_name} has not yet scored the values it starts from. Give it "
            "more time."
        )
    best = study.best_trial
    return Tuned(
        dataset=dataset.name,
        name=tunable.name,
        metric=metric,
        start=tunable.start,
        best=best.params,
        start_score=start.values[0],
        best_score=best.values[0],
        complete=len(scored),
        pruned=n_finished(study) - len(scored),
        failed=len(study.trials) - len(unfailed(study)),
        importances=importances(study),
        study=study.study_name,
        storage=shown_url(storage),
        path=path,
    )
