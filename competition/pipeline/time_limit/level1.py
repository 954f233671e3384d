"""Level 1 of a run with a time limit (`competition.pipeline.time_limit.watch`)."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from competition.config.profile import Profile
from competition.datasets.base import AdDataset
from competition.execution.devices import choose_device
from competition.level1.components.seeds import SEEDS
from competition.oof.store import OofStore
from competition.pipeline.context import Context
from competition.pipeline.costs import Costs
from competition.pipeline.crossfit import (
    FoldTask,
    Level1Job,
    model_defaults,
    needs_device,
    pending_folds,
    run_folds,
    run_task,
)
from competition.pipeline.level1 import level1_job
from competition.pipeline.plan import PlannedModel, plan_models
from competition.pipeline.time_limit.plan import reduced_by
from competition.pipeline.time_limit.watch import NOT_TRIED, ROUGH, SLACK, Watch, size_of
from competition.utils.durations import about


def level1_in_time(
    context: Context[Profile], own: AdDataset, store: OofStore, watch: Watch
) -> Context[Profile]:
    """Return the context with a profile of the level-1 models that fit; those are cross-fitted.

    Parameters
    ----------
    context : Context
        With the features.
    own : AdDataset
        The ads as they came.
    store : OofStore
    watch : Watch
    """
    if "level 1" not in watch.plan.decided:
        _decide_level1(context, store, watch)
    return replace(context, profile=reduced_by(watch.plan, replace(context, dataset=own)))


QUICK = 8.0  # seconds of a fold, up to which another one is timed


@dataclass
class _Candidate:
    """A model that is not stored."""

    planned: PlannedModel
    job: Level1Job
    folds: list[int]  # that are pending
    guess: float | None  # seconds of all of these on one core, if that is known
    whole: float | None  # of every fold, by the same estimate
    fold: float = 0.0  # seconds of one, as measured
    on_gpu: bool = False

    def at_a_time(self, n_jobs: int) -> int:
        """Folds of it that run at a time: one where networks share a GPU."""
        return 1 if self.on_gpu else n_jobs


def _decide_level1(context: Context[Profile], store: OofStore, watch: Watch) -> None:
    planned = plan_models(context.profile, context.dataset)
    costs = Costs(context.out, size_of(context.dataset, store.folds.n))
    until = watch.level1_ends
    jobs = {one.name: level1_job(one, context, store.folds) for one in planned}
    absent = [
        one
        for one in planned
        if context.keep_models or store.current_card(one.name, jobs[one.name].fingerprint) is None
    ]
    with store.locked([one.name for one in absent], context.progress):
        candidates = _pending(absent, jobs, costs, context, store)
        base = _cheapest(planned, candidates, context.dataset)
        if base is not None:
            run_folds(_tasks(base, base.folds, store, context), context, "the cheapest model")
            watch.n_trained += len(base.folds)
            candidates.remove(base)
        candidates, cut = _affordable(candidates, store, context, until)
        gone, seeds = _measured(candidates, store, context, watch, until)
        chosen = [one for one in candidates if one.planned.name not in {*gone, *seeds}]
        chosen += [_cut(one, context, store) for one in candidates if one.planned.name in seeds]
        seeds |= dict.fromkeys((name for name in cut if name not in gone), 1)
        fold = {one.planned.name: round(one.fold, 3) for one in candidates if one.fold}
        measured = {**watch.plan.measured, **fold}
        watch.decide("level 1", models=gone, seeds=seeds, measured=measured)
        watch.pace = _pace(candidates, store.folds.n)
        late = _finished(chosen, store, context, watch, until)
        if late:
            kept = {name: copies for name, copies in seeds.items() if name not in late}
            watch.decide("level 1", models={**gone, **late}, seeds=kept)


def _cut(one: _Candidate, context: Context[Profile], store: OofStore) -> _Candidate:
    """Return a model of several copies as one of a single copy."""
    copies = int(one.planned.params[SEEDS])
    params = {name: value for name, value in one.planned.params.items() if name != SEEDS}
    planned = replace(one.planned, params=params)
    job = level1_job(planned, context, store.folds)
    whole = None if one.whole is None else one.whole / copies
    return replace(_candidate(planned, job, whole, context, store), fold=one.fold / copies)


def _candidate(
    planned: PlannedModel,
    job: Level1Job,
    whole: float | None,
    context: Context[Profile],
    store: OofStore,
) -> _Candidate:
    """Say which folds of a model are pending, and how long they may take."""
    store.remove_damaged_folds(job.name, job.fingerprint, context.progress)
    folds = pending_folds(job, store, context.keep_models)
    guess = None if whole is None else whole * len(folds) / store.folds.n
    return _Candidate(planned, job, folds, guess, whole, on_gpu=_on_gpu(planned, context))


def _pending(
    absent: Sequence[PlannedModel],
    jobs: Mapping[str, Level1Job],
    costs: Costs,
    context: Context[Profile],
    store: OofStore,
) -> list[_Candidate]:
    """Models of which a fold is not stored, the cheapest first.

    A card of other parameters stays: what it describes goes when the new one is made, not before.
    """
    found = [
        _candidate(one, jobs[one.name], costs.of_model(one).seconds, context, store)
        for one in absent
    ]
    return sorted((one for one in found if one.folds), key=_by_guess)


def _on_gpu(planned: PlannedModel, context: Context[Profile]) -> bool:
    """Whether a model is a network that runs on a CUDA card, beside other tasks."""
    if context.n_jobs == 1 or not needs_device(planned.model):
        return False
    return choose_device(context.device).startswith("cuda")


def _by_guess(one: _Candidate) -> float:
    """What is not known comes last: it may take any time."""
    return float("inf") if one.guess is None else one.guess


def _cheapest(
    planned: Sequence[PlannedModel],
    candidates: Sequence[_Candidate],
    dataset: AdDataset,
) -> _Candidate | None:
    """The cheapest model of texts and metadata, or of all; None where one is stored already."""
    kinds = {column: given.kind for given in dataset.inputs.values() for column in given.columns}
    plain = [
        one for one in planned if {kinds[column] for column in one.columns} <= {"text", "metadata"}
    ]
    pending = {one.planned.name: one for one in candidates}
    names = [one.name for one in plain or planned]
    if any(name not in pending for name in names):
        return None
    return min((pending[name] for name in names), key=_by_guess)


def _affordable(
    candidates: Sequence[_Candidate], store: OofStore, context: Context[Profile], until: float
) -> tuple[list[_Candidate], list[str]]:
    """Cut models to one copy that by the estimate take too long with all; name them.

    The models are returned in the order of their estimates, the cheapest first.
    """
    left = ROUGH * max(0.0, until - time.monotonic())
    found, cut = [], []
    for one in candidates:
        guess = (one.guess or 0.0) / context.n_jobs
        if guess > left and int(one.planned.params.get(SEEDS, 1)) > 1:
            shorter = _cut(one, context, store)
            shorter_guess = (shorter.guess or 0.0) / context.n_jobs
            if shorter_guess <= left:
                one, guess = shorter, shorter_guess
                cut.append(one.planned.name)
        found.append(one)
        left -= guess if guess <= left else 0.0
    return sorted(found, key=_by_guess), cut


def _measured(
    candidates: Sequence[_Candidate],
    store: OofStore,
    context: Context[Profile],
    watch: Watch,
    until: float,
) -> tuple[dict[str, str], dict[str, int]]:
    """Run the first fold of each model; say which are left out, and which get fewer copies."""
    gone: dict[str, str] = {}
    left, sum_of_guesses, tried = until - time.monotonic(), 0.0, []
    for one in candidates:
        guess = (one.guess or 0.0) / context.n_jobs
        if guess and sum_of_guesses + guess > ROUGH * max(0.0, left):
            gone[one.planned.name] = NOT_TRIED.format(about(guess))
        else:
            sum_of_guesses += guess
            tried.append(one)
    half = time.monotonic() + max(0.0, left) / 2
    untouched = [one for one in tried if len(one.folds) == store.folds.n]
    _run_one_fold(untouched, store, context, watch, half)
    # In the first one the libraries are loaded, which counts where a fold takes moments.
    quick = [one for one in untouched if 0 < _seconds(one, store) < QUICK]
    _run_one_fold(quick, store, context, watch, half)
    for one in tried:
        one.fold = _seconds(one, store)
        one.folds = pending_folds(one.job, store, context.keep_models)
        if not one.fold:
            gone[one.planned.name] = f"its first fold had not ended after {about(left / 2)}"
    return gone, _left_out(tried, gone, store.folds.n, context.n_jobs, until)


def _run_one_fold(
    some: Sequence[_Candidate],
    store: OofStore,
    context: Context[Profile],
    watch: Watch,
    until: float,
) -> None:
    """Run the next pending fold of each model, as far as there is time."""
    tasks: list[tuple[FoldTask]] = []
    shared: set[int] = set()
    for one in some:
        folds = pending_folds(one.job, store, context.keep_models)
        for task in _tasks(one, folds[:1], store, context):
            shared |= {len(tasks)} if one.on_gpu else set()
            tasks.append((task,))
    context.progress.update("first folds", 0, len(tasks))
    for done, _ in enumerate(watch.workers.run(run_task, tasks, until, shared), start=1):
        context.progress.update("first folds", done, len(tasks))
        watch.n_trained += 1


def _seconds(one: _Candidate, store: OofStore) -> float:
    """Seconds of the quickest fold that is stored; 0 where none is."""
    name, fingerprint = one.job.name, one.job.fingerprint.value
    stored = [fold for fold in range(store.folds.n) if store.has_fold(name, fold, fingerprint)]
    return min((store.read_fold(name, fold).seconds for fold in stored), default=0.0)


def _left_out(
    tried: Sequence[_Candidate],
    gone: dict[str, str],
    n_folds: int,
    n_jobs: int,
    until: float,
) -> dict[str, int]:
    """Add to `gone` what does not fit; return the models that fit with a single copy."""
    left, seeds = until - time.monotonic(), {}
    timed = [one for one in tried if one.planned.name not in gone]
    for one in sorted(timed, key=lambda one: one.fold * len(one.folds)):
        at_once = one.at_a_time(n_jobs)
        rest = SLACK * max(one.fold * len(one.folds) / at_once, one.fold * bool(one.folds))
        copies = int(one.planned.params.get(SEEDS, 1))
        short = SLACK * one.fold / copies * n_folds / at_once
        if rest <= left:
            left -= rest
        elif copies > 1 and short <= left:
            seeds[one.planned.name] = 1
            left -= short
        else:
            gone[one.planned.name] = f"it takes about {about(rest)} more"
    return seeds


def _pace(timed: Sequence[_Candidate], n_folds: int) -> float:
    """How many times as long as guessed the models took, in the middle; 1 where they were quick."""
    found = [one.fold * n_folds / one.whole for one in timed if one.fold and one.whole is not None]
    return min(ROUGH, max(1.0, median(found))) if found else 1.0


def _finished(
    chosen: Sequence[_Candidate],
    store: OofStore,
    context: Context[Profile],
    watch: Watch,
    until: float,
) -> dict[str, str]:
    """Run the folds that are left; say which models had not ended in time."""
    order = sorted(chosen, key=lambda one: one.fold * len(one.folds))
    by_model = [(one, task) for one in order for task in _tasks(one, one.folds, store, context)]
    tasks = [(task,) for _, task in by_model]
    shared = {place for place, (one, _) in enumerate(by_model) if one.on_gpu}
    done: set[tuple[str, int]] = set()
    context.progress.update("level 1", 0, len(tasks))
    for _, ended in watch.workers.run(run_task, tasks, until, shared):
        done.add(ended)
        context.progress.update("level 1", len(done), len(tasks), "{}, fold {}".format(*ended))
    watch.n_trained += len(done)
    late = {
        one.planned.name
        for one in order
        if any((one.job.name, fold) not in done for fold in one.folds)
    }
    return {name: "it had not ended when the time for level 1 was over" for name in sorted(late)}


def _tasks(
    one: _Candidate, folds: Sequence[int], store: OofStore, context: Context[Profile]
) -> list[FoldTask]:
    labels, defaults = context.dataset.labels, model_defaults(context)
    return [FoldTask(one.job, fold, store, labels, defaults, context.keep_models) for fold in folds]
