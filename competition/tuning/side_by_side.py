"""Trials side by side, on several machines that may be lost."""

import secrets
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from competition.config.profile import Profile
from competition.datasets.base import AdDataset
from competition.execution.engines import run_tasks
from competition.pipeline.context import Context
from competition.tuning.study import (
    claim,
    ends,
    enqueue_start,
    give_up,
    n_finished,
    open_study,
    sampler_of_next,
    shown_url,
    storage_told,
    wants_trial,
)
from competition.tuning.targets import Tunable
from competition.tuning.trials import best_so_far, score_of
from competition.utils.errors import TuningError
from competition.utils.processes import this_process

if TYPE_CHECKING:
    from optuna import Study, Trial


def search_side_by_side(
    study: "Study",
    storage: str,
    tunable: Tunable,
    context: Context[Profile],
    n_trials: int,
    deadline: float,
) -> None:
    """Add trials until there are enough or the time is up, as many at a time as there are cores.

    A trial whose machine is lost is marked as failed where its task begins anew, or at the latest
    when no task is left, and the others go on. So the study ends, and holds the values that it
    starts from.
    """
    profile, dataset, stage = context.profile, context.dataset, f"tuning {tunable.name}"
    # By the clock of each machine: where one is wrong, trials end there sooner or later.
    until = time.time() + deadline - time.monotonic()
    command = f"{this_process()}/{secrets.token_hex(4)}"
    trials = _Trials(study.study_name, storage, tunable, dataset, profile, n_trials, until, command)
    while not ends(study, n_trials, deadline, context.progress):
        done = n_finished(study)
        enqueue_start(study, tunable.start, again=done >= n_trials)
        context.progress.update(stage, done, n_trials, best_so_far(study, profile.metric))
        places = [(trials, place) for place in range(done, max(n_trials, done + 1))]
        needs = [tunable.need] * len(places)
        for place in run_tasks(_one_trial, places, needs, n_jobs=context.n_jobs):
            last = f"{best_so_far(study, profile.metric)}trial {place}"
            context.progress.update(stage, n_finished(study), n_trials, last)
        give_up(study, command, tunable.start)
    done = n_finished(study)
    context.progress.update(stage, done, max(done, n_trials), "done")


@dataclass(frozen=True, eq=False)
class _Trials:
    """What all trials of a study have in common."""

    study: str
    storage: str
    tunable: Tunable
    dataset: AdDataset
    profile: Profile
    n_trials: int
    until: float
    command: str  # which of several that share the study


def _one_trial(trials: _Trials, place: int) -> int:
    """Run one trial in another process, unless there are enough or the time is up."""
    study = open_study(trials.study, trials.storage)
    metric, task = trials.profile.metric, f"{trials.command}/{place}"

    def objective(trial: "Trial") -> float:
        claim(trial, task)
        return score_of(trial, trials.tunable, trials.dataset, metric, lambda _: None)

    with storage_told(trials.storage):
        if not study.get_trials(deepcopy=False):  # whoever waits has put the first one there
            raise TuningError(
                f"{socket.gethostname()} does not see the study in {shown_url(trials.storage)}: it "
                "must be a file that all machines share, under the same path, or a database."
            )
        # What another machine has begun of this task is lost.
        give_up(study, task, trials.tunable.start)
        if wants_trial(study, trials.n_trials) and time.time() < trials.until:
            study.sampler = sampler_of_next(study, trials.profile.seed, place)
            study.optimize(objective, n_trials=1)
    return place
