"""Save a stack of fewer models, so that an ad takes less time, or the stack less room."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from competition.config.profile import Profile
from competition.oof.store import OofStore
from competition.pipeline.context import Context
from competition.pipeline.run import RunResult
from competition.pipeline.stack import fitted_stack
from competition.pipeline.stack_input import stack_input
from competition.saved.budget import Budget, Way, choose
from competition.saved.costs import measured
from competition.saved.manifest import Manifest
from competition.saved.place import next_version
from competition.saved.records import SavedBudget, SavedStep
from competition.saved.save import save_stack
from competition.saved.stack import load_stack
from competition.utils.files import PathLike, folder_aside


def save_within(
    result: RunResult,
    folder: PathLike,
    budget: Budget,
    *,
    with_checkpoints: bool = False,
    keep: Literal["folds", "refit"] = "folds",
    decide: str = "f1",
) -> tuple[Path, Manifest]:
    """Drop models until the stack fits a budget, stack those that are left, and save it.

    Without a budget all models are saved.

    Parameters
    ----------
    result : RunResult
        Of a run that kept its models.
    folder : path
        As of `competition.saved.save.next_version`.
    budget : Budget
    with_checkpoints, keep, decide
        As of `competition.saved.save.save_stack`.

    Returns
    -------
    Path
        Where it is saved.
    Manifest

    Raises
    ------
    ModelError
        If not even one model fits.
    """
    given: dict[str, Any] = {"with_checkpoints": with_checkpoints, "keep": keep, "decide": decide}
    if budget == Budget():
        target = next_version(folder, result.stack.fingerprint)
        return target, save_stack(result, target, **given)
    progress = result.context.progress
    with tempfile.TemporaryDirectory() as temporary:
        progress.update("measuring", 0, 1)
        save_stack(result, Path(temporary, "all"), **given)
        plugins = tuple(result.context.profile.plugins)
        stack = load_stack(Path(temporary, "all"), n_jobs=1, plugins=plugins)
        stack.load()
        costs = measured(stack, result)
        progress.update("measuring", 1, 1)
    data, _ = stack_input(result.store, result.cards, result.dataset, result.stack.metadata)
    way = choose(data, costs, budget)
    needed = frozenset[str]().union(*(costs.reads[name] for name in way.steps[-1].models))
    dropped = [name for name in costs.features if name not in needed]
    with _stacked(result, way.steps[-1].models, dropped) as lean:
        target = next_version(folder, lean.stack.fingerprint)
        manifest = save_stack(lean, target, **given, budget=_saved(budget, way))
    return target, manifest


def _saved(budget: Budget, way: Way) -> SavedBudget:
    return SavedBudget(
        ms=budget.ms,
        mb=budget.mb,
        nested_gap=way.nested_gap,
        way=tuple(
            SavedStep(
                dropped=step.dropped,
                n_models=len(step.models),
                gap=step.gap,
                ms=step.cost.ms,
                mb=step.cost.mb,
            )
            for step in way.steps
        ),
    )


def without_features(context: Context[Profile], features: Sequence[str]) -> Context[Profile]:
    """Return the context of a run as if neither profile nor ads had these features."""
    dataset, profile = context.dataset, context.profile
    inputs = {name: given for name, given in dataset.inputs.items() if name not in features}
    gone = [column for name in features for column in dataset.inputs[name].columns]
    left = {name: one for name, one in profile.features.items() if name not in features}
    return replace(
        context,
        dataset=replace(dataset, inputs=inputs, ads=dataset.ads.drop(columns=gone)),
        profile=profile.model_copy(update={"features": left}),
    )


@contextmanager
def _stacked(
    result: RunResult, models: Sequence[str], without: Sequence[str]
) -> Iterator[RunResult]:
    """Stack some of a run's models, as if there were neither the others nor their features.

    The run's own stack stays as it is: this one has a store of its own, with the same files.
    """
    context = without_features(result.context, without)
    with folder_aside(result.store.folder) as temporary:
        store = OofStore(temporary, result.store.tags, result.store.folds, result.store.test_ids)
        for model in models:
            shutil.copytree(
                result.store.folder / model, store.folder / model, copy_function=_linked
            )
        cards = [card for card in result.cards if card.model in models]
        jobs = [job for job in result.jobs if job.name in models]
        with fitted_stack(cards, store, context) as stack:
            yield replace(
                result,
                dataset=context.dataset,
                store=store,
                cards=cards,
                jobs=jobs,
                stack=stack,
                context=context,
            )


def _linked(source: str, target: str) -> None:
    """Two names of one file, which is never changed in place; a copy where that cannot be."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
