"""Features of a run with a time limit (`competition.pipeline.time_limit.watch`)."""

import time
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from competition.config.profile import Profile
from competition.pipeline.context import Context
from competition.pipeline.cost_table import EXTRACTORS
from competition.pipeline.costs import Costs
from competition.pipeline.extract import extract_features
from competition.pipeline.imagined import models_to_come
from competition.pipeline.plan import plan_models
from competition.pipeline.reduced import without
from competition.pipeline.so_far import FeatureSoFar, features_so_far
from competition.pipeline.time_limit.plan import reduced_by
from competition.pipeline.time_limit.watch import NOT_TRIED, ROUGH, SLACK, Watch, size_of
from competition.utils.durations import about
from competition.utils.errors import CompetitionError, ProfileError
from competition.utils.progress import Progress

FEW = 2  # ads a task at a time that a feature is begun with
MORE = 8  # ads a task at a time that it is timed by
WIDE = 1.5  # times what the models of the ads' own inputs need by estimate is kept for them
MOST = 2 / 3  # of the time, as far as it goes
SLICE = 15.0  # seconds between two looks at the clock while features are extracted
LEAST = 32  # ads between two looks


def features_in_time(context: Context[Profile], watch: Watch) -> Context[Profile]:
    """Return the context with a profile of the features that fit; those are extracted.

    Parameters
    ----------
    context : Context
        With the ads as they came.
    watch : Watch
    """
    if "features" not in watch.plan.decided:
        _decide_features(context, watch)
    return replace(context, profile=reduced_by(watch.plan, context))


def _decide_features(context: Context[Profile], watch: Watch) -> None:
    silent = replace(context, progress=Progress())
    pending = [
        one
        for one in features_so_far(silent)[1]
        if one.pending and one.name in context.profile.features
    ]
    until = watch.level1_ends
    costs = Costs(context.out, size_of(context.dataset, context.profile.folds.n))
    gone: dict[str, str] = {}
    rests: dict[str, float] = {}  # seconds of what is left of each feature
    rates: dict[str, float] = {}
    keep = _indispensable(silent, pending)
    for one in pending:
        seconds = _by_table(one) / context.n_jobs
        if seconds > ROUGH * (until - time.monotonic()) and one.name not in keep:
            gone[one.name] = NOT_TRIED.format(about(seconds))
            continue
        rates[one.name], n_left = _seconds_per_ad(context, one)
        rests[one.name] = rates[one.name] * n_left * SLACK
    left = until - time.monotonic()
    left -= min(WIDE * _level1_seconds(silent, costs), MOST * left)
    order = sorted((one for one in pending if one.name in rests), key=lambda one: rests[one.name])
    for one in order:
        if rests[one.name] > left and one.name not in keep:
            gone[one.name] = f"its extraction takes about {about(rests[one.name])} more"
            continue
        begun = time.monotonic()
        if not _extracted(context, one, begun + max(0.0, left) * SLACK, one.name in keep):
            gone[one.name] = f"its extraction had not ended after {about(left)}"
        left -= time.monotonic() - begun
    watch.decide("features", features=gone, measured={**watch.plan.measured, **rates})


def _indispensable(silent: Context[Profile], pending: Sequence[FeatureSoFar]) -> set[str]:
    """The cheapest feature that a model can run on, where none can without features."""
    names = {one.name for one in pending}
    if not names or _can_run(silent, names):
        return set()
    for one in sorted(pending, key=lambda one: _by_table(one) or float("inf")):
        if _can_run(silent, names - {one.name}):
            return {one.name}
    return names


def _can_run(silent: Context[Profile], features: Collection[str]) -> bool:
    """Whether a model can run without these features."""
    profile = without(silent.profile, silent.dataset, (), features)
    try:
        return bool(models_to_come(replace(silent, profile=profile)))
    except ProfileError:
        return False


def _by_table(one: FeatureSoFar) -> float:
    """Seconds of what is pending on one core, by the table; 0 where it knows none."""
    seconds, _ = EXTRACTORS.get(one.planned.entry.name, (0.0, 0.0))
    return seconds * one.n_items


def _seconds_per_ad(context: Context[Profile], one: FeatureSoFar) -> tuple[float, int]:
    """Time an ad, after the first ones, with which networks are loaded; say how many are left."""
    n = min(len(one.pending), (FEW + MORE) * context.n_jobs)
    places = np.linspace(0, len(one.pending) - 1, n).astype(int)
    ads = [one.pending[place] for place in dict.fromkeys(places.tolist())]
    first = min(len(ads) - 1, FEW * context.n_jobs)
    if first > 0:
        _extract_some(context, one.name, ads[:first])
    start = time.monotonic()
    _extract_some(context, one.name, ads[first:])
    seconds = (time.monotonic() - start) / len(ads[first:])
    return round(seconds, 4), len(one.pending) - len(ads)


def _extracted(
    context: Context[Profile], one: FeatureSoFar, until: float, to_the_end: bool
) -> bool:
    """Extract a feature, some ads at a time, until a moment; say whether all is done."""
    ads, size = list(one.pending), LEAST * context.n_jobs
    while ads:
        if time.monotonic() > until and not to_the_end:
            return False
        start = time.monotonic()
        _extract_some(context, one.name, ads[:size])
        ads, took = ads[size:], time.monotonic() - start
        size = max(LEAST, int(size * min(8.0, SLICE / max(took, 0.1))))
    return True


def _extract_some(context: Context[Profile], name: str, ads: Sequence[str]) -> None:
    """Extract one feature of some ads, and what it is extracted from."""
    profile, dataset, wanted = context.profile, context.dataset, [name]
    while (source := profile.features[wanted[-1]].input) in profile.features:
        if source in wanted:  # an input of the ads that has the feature's name
            break
        wanted.append(str(source))
    some = replace(
        dataset,
        ads=dataset.ads.loc[list(ads)].assign(split="test"),
        labels=dataset.labels[:0],
        # Other arrays would be read, too.
        inputs={
            key: given
            for key, given in dataset.inputs.items()
            if given.kind != "array" or key in wanted
        },
    )
    features = {key: one for key, one in profile.features.items() if key in wanted}
    extract_features(
        replace(
            context,
            dataset=some,
            profile=profile.model_copy(update={"features": features}),
            progress=_StepsAlone(context.progress),
        )
    )


class _StepsAlone(Progress):
    """Passes on how far a stage is, and no remark: these come when all ads are read."""

    def __init__(self, listener: Progress) -> None:
        self._listener = listener

    def update(self, stage: str, done: int, total: int, last: str = "") -> None:
        self._listener.update(stage, done, total, last)


def _level1_seconds(silent: Context[Profile], costs: Costs) -> float:
    """What the models need that read none of the features that are to come, by an estimate."""
    changed = silent.profile.model_copy(update={"features": {}})
    level1 = {
        name: one
        for name, one in changed.level1.items()
        if one.inputs is None or not set(one.inputs) & set(silent.profile.features)
    }
    changed = changed.model_copy(update={"level1": level1})
    try:
        planned = plan_models(changed, silent.dataset)
    except CompetitionError:  # none can run without features
        return float("inf")
    return sum(costs.of_model(one).seconds or 0.0 for one in planned) / silent.n_jobs
