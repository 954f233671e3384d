"""An Optuna study that survives interruptions and that several machines may share.

A trial ends complete, pruned or failed: the last when it was interrupted or its machine went down.
A failed trial is drawn again, so that the others are what they would have been without it.
"""

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from competition.utils.errors import CompetitionError, TuningError, causes
from competition.utils.processes import another_lives, is_here, this_process
from competition.utils.progress import Progress

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import TPESampler
    from optuna.storages import RDBStorage
    from optuna.storages.journal import JournalStorage
    from optuna.trial import FrozenTrial, Trial

# A trial stops after its second fold or later where it lies below three quarters of the complete
# ones. Below half of them would be a high bar: only good trials are ever complete.
KEPT_PERCENT = 75.0
UNPRUNED = 4  # complete trials before that says something
UNPRUNED_FOLDS = 1
ENOUGH = 10  # complete trials before an importance says something
JOURNAL = "journal:"  # begins the name of a file that machines append to
PATIENCE = 3.0  # times the longest trial that one of another machine is waited for
POLL = 0.5  # seconds
HEARTBEAT = 60  # seconds; a trial without a heartbeat for twice as long is lost


def open_study(name: str, url: str) -> "Study":
    """Open a study, or create it; lost trials of this machine are marked as failed.

    Raises
    ------
    TuningError
        If the storage cannot be opened.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)  # `Progress` reports trials
    with storage_told(url):
        study = optuna.create_study(
            study_name=name,
            storage=_open_storage(url),
            load_if_exists=True,
            direction="maximize",
            pruner=optuna.pruners.PercentilePruner(KEPT_PERCENT, UNPRUNED, UNPRUNED_FOLDS),
        )
        _give_up_lost_trials(study)
    return study


@contextmanager
def storage_told(url: str) -> Iterator[None]:
    """Turn an error of the database or journal, such as a full disk, into a TuningError."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except CompetitionError:
        raise
    except Exception as bad:  # of Optuna too, where it cannot store how a trial has ended
        of_storage = (StorageInternalError, SQLAlchemyError)
        fault = next((one for one in causes(bad) if isinstance(one, of_storage)), None)
        if fault is None:
            raise
        raise TuningError(
            f"The storage {shown_url(url)} fails: {_reason(fault)}. Make room there, or give "
            "yourself the right to write there; what it holds is kept, and the same command goes "
            "on."
        ) from fault


def _reason(bad: BaseException) -> str:
    """Say in one line what the database says, without the command that it was given."""
    cause = bad if hasattr(bad, "orig") else bad.__cause__
    return str(getattr(cause, "orig", None) or bad).partition("\n")[0]


def _open_storage(url: str) -> "RDBStorage | JournalStorage":
    if url.startswith(JOURNAL):
        from competition.tuning.journal import open_journal

        return open_journal(Path(url.removeprefix(JOURNAL)), url)
    from optuna.exceptions import ExperimentalWarning, OptunaError
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import SQLAlchemyError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # the heartbeat
        try:
            return RDBStorage(url, heartbeat_interval=HEARTBEAT)
        except (ImportError, ValueError, SQLAlchemyError, OptunaError) as bad:
            reason = _reason(bad)
            if "disk" in reason or "readonly" in reason:  # the database is there
                raise
            raise TuningError(
                f"The storage {shown_url(url)} cannot be opened ({type(bad).__name__}: {reason}). "
                "Give the URL of a database that exists and whose driver is installed, like "
                "postgresql://user:password@host/name, or leave --storage out."
            ) from bad


def absolute(url: str) -> str:
    """Name a journal as processes with another current folder find it; leave other storages."""
    path = url.removeprefix(JOURNAL)
    return url if path in ("", url) else f"{JOURNAL}{Path(path).absolute()}"


def shown_url(url: str) -> str:
    """Hide the password of a storage's URL."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:  # not a URL, so there is no password
        return url


def sampler_of_next(study: "Study", seed: int, place: int | None = None) -> "TPESampler":
    """Make the sampler of one trial, seeded by its place among those that have not failed.

    So a resumed study draws what it would have drawn without the interruption, and machines that
    share a study draw different trials. Trials that begin at once are given different places, and
    keep away from what the others try.
    """
    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import TPESampler

    number = len(unfailed(study)) if place is None else place
    own_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(seed=own_seed, constant_liar=place is not None)


def enqueue_start(study: "Study", params: dict[str, Any], *, again: bool = False) -> None:
    """Let the next trial try the given values, unless a trial tries them or has tried them.

    Parameters
    ----------
    study : Study
    params : dict
    again : bool
        Unless one has tried them to its end: whoever seems to try them may be lost.
    """
    from optuna.trial import TrialState

    ended = (TrialState.COMPLETE, TrialState.WAITING)
    states = ended if again else (*ended, TrialState.RUNNING)
    if not any(is_start(trial) and trial.state in states for trial in unfailed(study)):
        study.enqueue_trial(params, user_attrs={"start": True})


def is_start(trial: "Trial | FrozenTrial") -> bool:
    """Whether a trial has the values that tuning started from."""
    return "start" in trial.user_attrs


def claim(trial: "Trial", task: str = "") -> None:
    """Record which process runs a trial, and for which task of a command."""
    trial.set_user_attr("process", this_process())
    if task:
        trial.set_user_attr("task", task)


def give_up(study: "Study", whose: str, start: dict[str, Any]) -> None:
    """Mark as failed the running trials of a task, or of all tasks of a command.

    Where the first is among them, its values are tried again.
    """
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        task = str(trial.user_attrs.get("task", ""))
        is_its = task == whose or task.startswith(f"{whose}/")
        if is_its and _fail(study, trial) and is_start(trial):
            enqueue_start(study, start)


def _fail(study: "Study", trial: "FrozenTrial") -> bool:
    """Mark a running trial as failed; return whether it is this call that has ended it."""
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    try:
        study.tell(trial.number, state=TrialState.FAIL)
    except (UpdateFinishedTrialError, ValueError):  # another process has ended it, or it itself
        return False
    return True


def ends(study: "Study", n_trials: int, deadline: float, progress: Progress) -> bool:
    """Whether a search has what it wants, or its time is up; waits for a first trial elsewhere."""
    _await_start(study, n_trials, deadline, progress)
    return is_done(study, n_trials) or time.monotonic() >= deadline


def _await_start(study: "Study", n_trials: int, deadline: float, progress: Progress) -> None:
    """Wait for the values that tuning starts from, where only they are missing and others try them.

    A process of this machine is waited for while it lives. Of another machine nobody can say
    whether it does: it gets as long as the longest trial took, several times over.
    """
    from optuna.trial import TrialState

    if n_finished(study) < n_trials:
        return
    took = [trial.duration.total_seconds() for trial in unfailed(study) if trial.duration]
    until = time.monotonic() + PATIENCE * max(took, default=0.0)
    told: set[str] = set()
    while not is_done(study, n_trials) and time.monotonic() < deadline:
        running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        processes = {str(one.user_attrs.get("process", "")) for one in running if is_start(one)}
        late = time.monotonic() > until
        lives = {one for one in processes if another_lives(one) and (is_here(one) or not late)}
        if not lives:
            return
        for process in lives - told:
            progress.remark(f"{study.study_name}: waiting for the first trial, of {process}")
        told |= lives
        time.sleep(POLL)


def unfailed(study: "Study") -> list["FrozenTrial"]:
    """Trials that are complete, pruned, running or waiting."""
    from optuna.trial import TrialState

    return [trial for trial in study.get_trials(deepcopy=False) if trial.state != TrialState.FAIL]


def n_finished(study: "Study") -> int:
    """Count the trials that are complete or pruned."""
    return sum(trial.state.is_finished() for trial in unfailed(study))


def is_done(study: "Study", n_trials: int) -> bool:
    """Whether so many trials are complete or pruned, and the values it starts from are scored."""
    return n_finished(study) >= n_trials and any(is_start(trial) for trial in complete(study))


def wants_trial(study: "Study", n_trials: int) -> bool:
    """Whether there are fewer trials, or the values it starts from wait to be tried again."""
    from optuna.trial import TrialState

    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    return n_finished(study) < n_trials or any(is_start(trial) for trial in waiting)


def complete(study: "Study") -> list["FrozenTrial"]:
    """Trials that were scored on all folds."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def importances(study: "Study") -> dict[str, float]:
    """Share of each parameter in what makes a trial good; empty where trials are too few to tell.

    PED-ANOVA: Watanabe, Bansal, Hutter, "PED-ANOVA: efficiently quantifying hyperparameter
    importance in arbitrary subspaces", IJCAI 2023.
    """
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    if len(complete(study)) < ENOUGH:
        return {}
    return dict(get_param_importances(study, evaluator=PedAnovaImportanceEvaluator()))


def _give_up_lost_trials(study: "Study") -> None:
    """Mark as failed the running trials whose process, or whose command, of this machine has ended.

    Optuna watches the heartbeat of all others, where they share a database: trials of other
    machines, and one that was killed before it could record its process.
    """
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        process = str(trial.user_attrs.get("process", ""))
        command = str(trial.user_attrs.get("task", process)).partition("/")[0]
        if not (another_lives(process) and another_lives(command)):
            _fail(study, trial)
