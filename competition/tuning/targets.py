"""What can be tuned: a level-1 model fold by fold, or a meta-learner over stored predictions."""

import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from competition.config.profile import Profile
from competition.config.stages import Level1Settings
from competition.evaluation.chosen_metric import metric_digest
from competition.execution.devices import one_thread
from competition.execution.local import run_tasks
from competition.execution.needs import GIB, Need
from competition.features.prepare import prepare_columns
from competition.level1.registry import get_model
from competition.level2.crossfit import cross_fit
from competition.level2.registry import get_meta_learner, meta_parameters
from competition.oof.fold_files import check_probabilities
from competition.oof.store import OofStore
from competition.pipeline.context import Context
from competition.pipeline.crossfit import (
    FoldTask,
    fit_and_predict,
    make_estimator,
    memory_of,
    model_defaults,
    needs_device,
)
from competition.pipeline.fingerprints import stack_fingerprint
from competition.pipeline.level1 import level1_job
from competition.pipeline.plan import PlannedModel, plan_metadata, plan_models
from competition.pipeline.stack import stored_models
from competition.pipeline.stack_input import STACK, stack_input
from competition.utils.errors import CompetitionError, ModelError, TuningError
from competition.utils.files import digest
from competition.utils.registry import Entry

# Which training ads, and their OOF probabilities
Pieces = Generator[tuple[np.ndarray, np.ndarray], None, None]

USUAL = Need("tuning")


@dataclass(frozen=True, eq=False)
class Tunable:
    """A model whose parameters can be tried.

    Attributes
    ----------
    name : str
        Name in the store.
    space : callable
        From an Optuna trial to parameters.
    start : dict
        The values that the profile or the model's defaults give to what the space suggests.
    identity : str
        Digest of all that two trials must share to be compared: ads, labels, folds, inputs,
        parameters that are not tuned, code, space and metric.
    oof : callable
        From parameters to the pieces of the model's OOF predictions, in a fixed order: (mask of
        shape (n_train,), probabilities of shape (n_masked, n_tags)).
    profile_with : callable
        From parameters to the profile that sets them.
    need : Need
        What a trial needs.
    """

    name: str
    space: Callable[..., dict[str, Any]]
    start: dict[str, Any]
    identity: str
    oof: Callable[[dict[str, Any]], Pieces]
    profile_with: Callable[[dict[str, Any]], Profile]
    need: Need = USUAL


def tunable_model(name: str, context: Context[Profile], store: OofStore) -> Tunable:
    """Make a level-1 model tunable, under its name in the profile or in the registry.

    Parameters
    ----------
    name : str
    context : Context
        Its `n_jobs` folds run at a time; the result does not depend on it.
    store : OofStore
        Gives the folds; nothing is written there.

    Raises
    ------
    ProfileError, ModelError
        If there is no such model, or it cannot read the dataset.
    TuningError
        If it has no search space, or starts outside of it.
    """
    profile, dataset = context.profile, context.dataset
    settings = profile.level1.get(name, Level1Settings())
    alone = profile.model_copy(update={"models": (), "level1": {name: settings}})
    (planned,) = plan_models(alone, dataset)
    entry = get_model(planned.model)
    space = _space(entry, "level-1 model")
    start, distributions = _start(name, space, {**entry.parameters, **planned.params})
    fixed = {key: value for key, value in planned.params.items() if key not in start}
    defaults = model_defaults(context)
    no_tests = replace(store, test_ids=store.test_ids[:0])

    untuned = PlannedModel(name, planned.model, planned.columns, fixed)
    job = level1_job(untuned, context, store.folds)

    def oof(params: dict[str, Any]) -> Pieces:
        tried = {**planned.params, **params}
        terms = make_estimator(planned.model, tried).text_terms
        columns = prepare_columns(
            dataset, planned.columns, terms, context.columns_folder, context.progress
        )
        job_now = replace(job, params=tried, columns=columns)
        at_a_time = max(1, min(context.n_jobs, store.folds.n))
        tasks = [
            FoldTask(job_now, fold, no_tests, dataset.labels, defaults)
            for fold in range(store.folds.n)
        ]
        # Wave by wave, not all at once: to cancel running tasks is to start the workers again.
        for start in range(0, len(tasks), at_a_time):
            wave = tasks[start : start + at_a_time]
            given = [(task,) for task in wave]
            found = dict(run_tasks(_held_out, given, n_jobs=at_a_time))
            for task in wave:
                yield store.folds.of_ad == task.fold, found[task.fold]

    def profile_with(params: dict[str, Any]) -> Profile:
        given = settings.model_dump(exclude_none=True)
        tuned = {**profile.level1, name: Level1Settings(**{**given, **params})}
        return profile.model_copy(update={"level1": tuned})

    identity = digest(job.fingerprint.made_from, distributions, metric_digest(profile.metric))
    on_gpu = needs_device(planned.model) and context.device != "cpu"
    need = Need(f"tuning {name}", on_gpu, memory=memory_of(job))
    return Tunable(name, space, start, identity, oof, profile_with, need)


def tunable_stack(context: Context[Profile], store: OofStore) -> Tunable:
    """Make the profile's meta-learner tunable, over all stored predictions, as `stack` uses them.

    Of several meta-learners it is the first.

    A meta-learner predicts all folds in one go, so that its trials cannot be pruned.

    Raises
    ------
    TuningError
        If the meta-learner has no search space or starts outside of it.
    StoreError
        If no stored model fits the ads, labels and folds, or a stored prediction is damaged.
    """
    profile, dataset, progress = context.profile, context.dataset, context.progress
    name, given = next(iter(profile.level2.params.items()))
    entry = get_meta_learner(name)
    progress.remark(f"Tuning the meta-learner {name}; set level2.model to tune another.")
    space = _space(entry, "meta-learner")
    base = meta_parameters(name, given, profile.seed)
    start, distributions = _start(name, space, {**entry.parameters, **base})
    cards = stored_models(store, context)
    level1 = {card.model: card.fingerprint for card in cards}
    metadata = plan_metadata(profile, dataset)
    data, _ = stack_input(store, cards, dataset, metadata, profile.metric)

    def oof(params: dict[str, Any]) -> Pieces:
        learner = entry.make(**{**base, **params})
        yield np.ones(len(data.labels), dtype=bool), cross_fit(learner, data).oof

    def profile_with(params: dict[str, Any]) -> Profile:
        return profile.model_copy(update={"level2": profile.level2.with_params(name, params)})

    fixed = {key: value for key, value in base.items() if key not in start}
    sources = {name: (entry.make.__module__, fixed)}
    made_from = stack_fingerprint(
        level1, sources, metadata, dataset, store.folds, profile.metric
    ).made_from
    identity = digest(made_from, distributions)
    need = Need(f"tuning {STACK + entry.name}", memory=2 * GIB)
    return Tunable(STACK + entry.name, space, start, identity, oof, profile_with, need)


def _space(entry: Entry, noun: str) -> Callable[..., dict[str, Any]]:
    if entry.search_space is None:
        raise TuningError(
            f"The {noun} {entry.name!r} has no search space. Give it a static method "
            "`search_space(trial)` that returns the parameters to try, like that of tfidf_logreg."
        )
    return entry.search_space


def _start(
    name: str, space: Callable[..., dict[str, Any]], params: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what the space suggests where the trial is `params`, and the distributions."""
    from optuna.distributions import distribution_to_json
    from optuna.trial import FixedTrial

    trial = FixedTrial(params)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # so does Optuna tell of a value out of range
        try:
            suggested = space(trial)
        except (ValueError, TypeError, UserWarning) as bad:
            raise TuningError(
                f"The search space of {name} does not hold the values it starts from: {bad} Each "
                "suggestion must bear the name of a parameter, and its range must hold the "
                "profile's value, or the default where the profile sets none."
            ) from bad
    if suggested != trial.params:
        raise TuningError(
            f"The search space of {name} returns {suggested}, but its trial suggested "
            f"{trial.params}: it must return each suggestion as it is, under its own name."
        )
    kinds = {key: distribution_to_json(kind) for key, kind in trial.distributions.items()}
    return suggested, kinds


def _held_out(task: FoldTask) -> tuple[int, np.ndarray]:
    """Fit one fold and predict the ads that it holds out; return its number with them."""
    job = task.job
    where = f"Model {job.name} with the parameters {job.params}, fold {task.fold}"
    ids = task.store.held_out_ids(task.fold)
    try:
        with one_thread(get_model(job.model).libraries):
            probabilities = fit_and_predict(task)[1].held_out
        check_probabilities(job.name, probabilities, (len(ids), len(task.store.tags)))
    except CompetitionError as bad:
        raise type(bad)(f"{where}: {bad}") from bad
    except Exception as bad:
        raise ModelError(
            f"{where}: {type(bad).__name__}: {bad}. Take these values out of its search space; "
            "`run` with them (--set) writes the traceback."
        ) from bad
    return task.fold, probabilities
