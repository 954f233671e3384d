"""Level 2 of a run with a time limit (`competition.pipeline.time_limit.watch`)."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from competition.config.profile import Profile
from competition.level2.data import StackData
from competition.level2.registry import get_meta_learner
from competition.oof.cards import ModelCard
from competition.oof.store import OofStore
from competition.pipeline.context import Context
from competition.pipeline.costs import Costs, n_fits
from competition.pipeline.plan import plan_metadata
from competition.pipeline.settings import beside, plan_meta_learners
from competition.pipeline.stack import stored_stack
from competition.pipeline.stack_input import stack_input
from competition.pipeline.time_limit.plan import reduced_by
from competition.pipeline.time_limit.watch import NOT_TRIED, ROUGH, SLACK, Watch, reserve, size_of
from competition.utils.durations import about

QUICK = 8.0  # seconds of a fit, up to which another one is timed
RATHER = 1.5  # what the table may be wrong by: meta-learners see ads and tags, never texts
BY_TABLE = 0.3  # of the time: a meta-learner that surely takes less is not timed
INSTEAD = "logit_mean"  # the meta-learner where no other one fits


def level2_in_time(
    cards: Sequence[ModelCard], store: OofStore, context: Context[Profile], watch: Watch
) -> Context[Profile]:
    """Return the context with a profile of the meta-learners that fit.

    Parameters
    ----------
    cards : sequence of Level1Card
    store : OofStore
    context : Context
    watch : Watch
    """
    if "level 2" not in watch.plan.decided:
        _decide_level2(cards, store, context, watch)
    watch.end()
    return replace(context, profile=reduced_by(watch.plan, context))


def _decide_level2(
    cards: Sequence[ModelCard], store: OofStore, context: Context[Profile], watch: Watch
) -> None:
    profiles = [context.profile, *beside(context.profile)]
    if all(stored_stack(cards, store, replace(context, profile=one)) for one in profiles):
        watch.decide("level 2")
        return
    until = watch.began + watch.limit - watch.pace * reserve(context.dataset)
    params = {
        name: given for one in reversed(profiles) for name, given in plan_meta_learners(one).items()
    }
    stacking = tuple(plan_meta_learners(context.profile))
    costs = Costs(context.out, size_of(context.dataset, store.folds.n))
    guess = {name: costs.of_learner(name, len(cards), alone=False).seconds for name in params}
    there = [name for name in params if not get_meta_learner(name).lacks]
    # What is not known comes last: it may take any time.
    order = sorted(there, key=lambda name: (guess[name] is None, guess[name] or 0.0))
    metadata = plan_metadata(context.profile, context.dataset)
    data, _ = stack_input(store, cards, context.dataset, metadata, context.profile.metric)
    left, tried = until - time.monotonic(), []
    kept = 0.0  # seconds of those that stay
    gone: dict[str, str] = {}
    for name in order:
        by_table = watch.pace * (guess[name] or 0.0) / context.n_jobs
        if by_table and ROUGH * by_table < left * BY_TABLE:
            kept += by_table
        elif by_table > RATHER * max(0.0, left):
            gone[name] = NOT_TRIED.format(about(by_table))
        else:
            tried.append(name)
    tasks = [(name, params[name], data) for name in tried]
    seconds: dict[str, float] = {}
    third = time.monotonic() + max(0.0, left) / 3
    for place, took in watch.workers.run(_fit_once, tasks, third):
        seconds[tried[place]] = took
        context.progress.update("first fits", len(seconds), len(tasks), tried[place])
    given, left = left, until - time.monotonic()
    for name in sorted(tried, key=lambda name: seconds.get(name, float("inf"))):
        if name not in seconds:
            gone[name] = f"a fit of it had not ended after {about(max(0.0, given) / 3)}"
            continue
        alone = len(stacking) == 1 or name not in stacking
        fits = n_fits(store.folds.n, alone=alone)
        needs = SLACK * seconds[name] * fits / context.n_jobs
        if kept + needs > left:
            gone[name] = f"its {fits} fits take about {about(needs)}"
        else:
            kept += needs
    instead = ""
    if all(name in gone for name in stacking if name in order):
        known = {name: value for name in stacking if (value := guess[name]) is not None}
        usual = costs.of_learner(INSTEAD, len(cards), alone=True).seconds or 0.0
        cheapest = min({**known, INSTEAD: usual}, key=lambda name: known.get(name, usual))
        gone.pop(cheapest, None)
        instead = "" if cheapest in stacking else cheapest
    measured = {f"level 2, {name}": round(took, 3) for name, took in seconds.items()}
    watch.decide(
        "level 2",
        learners=gone,
        instead=instead,
        measured={**watch.plan.measured, **measured},
    )


def _fit_once(name: str, params: dict[str, Any], data: StackData) -> float:
    """Fit a meta-learner without the first fold, and predict that fold; return the seconds."""
    rest, held_out = data.without_fold(data.folds[0]), np.flatnonzero(data.fold == data.folds[0])
    took: list[float] = []
    while not took or (len(took) == 1 and took[0] < QUICK):  # the first one loads and compiles
        start = time.perf_counter()
        fitted = get_meta_learner(name).make(**params).for_fold(0).fit(rest)
        fitted.predict_proba(data.ads.take(held_out))
        took.append(time.perf_counter() - start)
    return min(took)
