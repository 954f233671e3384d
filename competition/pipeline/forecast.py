"""What a run would do: what runs, what is stored, how long it takes, how much memory it needs.

Nothing is run and nothing is written below the folder of the results.
"""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from competition.config.profile import Profile
from competition.datasets.base import AdDataset
from competition.execution.engines import LOCAL, check_engine
from competition.features.prepare import name_columns
from competition.folds_file import load_or_make_folds
from competition.oof.cards import Level1Card, ModelCard, StackCard
from competition.oof.store import OofStore
from competition.pipeline.context import Context, open_context
from competition.pipeline.costs import Basis, Cost, Costs, Size
from competition.pipeline.crossfit import Level1Job, pending_folds
from competition.pipeline.holdout import set_aside
from competition.pipeline.imagined import TO_COME
from competition.pipeline.level1 import check_not_brought, level1_job
from competition.pipeline.plan import PlannedModel, check_level2, plan_models
from competition.pipeline.quality import with_quality
from competition.pipeline.settings import beside, plan_meta_learners
from competition.pipeline.so_far import FeatureSoFar, features_so_far
from competition.pipeline.stack import SELECTION, stored_stack
from competition.pipeline.stack_input import STACK
from competition.pipeline.time_limit.plan import plan_file, reduced_by
from competition.pipeline.time_limit.watch import refuse_elsewhere
from competition.utils.errors import StoreError
from competition.utils.files import PathLike
from competition.utils.progress import Progress

Kind = Literal["feature", "model", "stack"]


@dataclass(frozen=True)
class Part:
    """A part of a run.

    Attributes
    ----------
    kind : {"feature", "model", "stack"}
    name : str
    stored, total : int
        Ads of a feature, folds of a model, and of a stack 1 where it is stored: what is there of
        what there will be.
    cost : Cost
        Of what would run.
    """

    kind: Kind
    name: str
    stored: int
    total: int
    cost: Cost

    @property
    def state(self) -> Literal["stored", "partly stored", "would run"]:
        if self.stored >= self.total:
            return "stored"
        return "partly stored" if self.stored else "would run"


@dataclass(frozen=True, eq=False)
class Forecast:
    """What a run would do.

    Attributes
    ----------
    dataset : AdDataset
    parts : list of Part
        Features, level-1 models, stacks.
    n_jobs : int
    n_folds : int
    remarks : list of str
        What is left out, and why.
    """

    dataset: AdDataset
    parts: list[Part]
    n_jobs: int
    n_folds: int
    remarks: list[str]

    @property
    def seconds(self) -> float:
        """Seconds of all that would run and is known, shared by the tasks that run at a time."""
        return sum(part.cost.seconds or 0.0 for part in self._to_run) / self.n_jobs

    @property
    def memory(self) -> float:
        """GiB of the parts that take most, as many as run at a time."""
        held = sorted((part.cost.memory or 0.0 for part in self._to_run), reverse=True)
        return sum(held[: self.n_jobs])

    @property
    def unknown(self) -> list[str]:
        """Parts that would run, and of which nobody knows how long they take."""
        return [part.name for part in self._to_run if part.cost.seconds is None]

    @property
    def _to_run(self) -> list[Part]:
        return [part for part in self.parts if part.state != "stored"]


class _Remarks(Progress):
    def __init__(self, listener: Progress) -> None:
        self.found: list[str] = []
        self._listener = listener

    def remark(self, text: str) -> None:
        self.found.append(text)
        self._listener.remark(text)


def plan_run(
    data: PathLike | AdDataset,
    profile: Profile,
    out: PathLike = ".",
    *,
    n_jobs: int | None = None,
    own_folds: PathLike | None = None,
    holdout: float | PathLike | None = None,
    device: str = "auto",
    on: str = LOCAL,
    progress: Progress | None = None,
) -> Forecast:
    """Say what `run` would do with the same arguments; run nothing and write nothing.

    Parameters
    ----------
    data, profile, out, n_jobs, own_folds, holdout, device, on, progress
        As of `run`.

    Raises
    ------
    CompetitionError
        If the ads, the profile or a stored file cannot be used; the message says what to do.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from competition import load_profile, make_demo, plan_run
    >>> quick = ['models=["tfidf_logreg"]', "folds.n=3", "level2.model=mean"]
    >>> with TemporaryDirectory() as folder:
    ...     make_demo(f"{folder}/ads", 40, films=False)
    ...     plan = plan_run(f"{folder}/ads", load_profile("text", quick), folder, n_jobs=1)
    >>> [(part.name, part.state, part.total) for part in plan.parts]
    [('tfidf_logreg', 'would run', 3), ('stack-mean', 'would run', 1)]
    """
    if on != LOCAL:
        refuse_elsewhere(profile, on)
        check_engine(on)
    remarks = _Remarks(progress or Progress())
    context = open_context(data, profile, out, n_jobs=n_jobs, device=device, progress=remarks)
    context, _ = with_quality(context)
    if profile.time_limit is not None:
        context = _by_stored_plan(context, holdout)
    n_all = len(context.dataset.ads)
    context, features = features_so_far(context)
    context, _ = set_aside(context, holdout)
    planned = plan_models(context.profile, context.dataset, context.progress)
    check_level2(context.profile, context.dataset)
    with tempfile.TemporaryDirectory() as temporary:
        store = _store(context, Path(temporary), own_folds)
        check_not_brought([one.name for one in planned], store)
        size = Size(len(store.folds.ids), len(store.tags), store.folds.n)
        costs = Costs(context.out, size)
        scratch = replace(context, out=Path(temporary), progress=Progress())
        parts = [_feature(one, costs, n_all) for one in features]
        cards: list[ModelCard | None] = []
        for one in planned:
            part, card = _model(one, scratch, store, costs)
            parts.append(part)
            cards.append(card)
        parts += _stacks(context, cards, planned, store, costs)
    return Forecast(context.dataset, parts, context.n_jobs, store.folds.n, remarks.found)


def _by_stored_plan(
    context: Context[Profile], holdout: float | PathLike | None
) -> Context[Profile]:
    """Return the context as the stored plan of its time limit has it, and say which that is."""
    without_held_out, _ = set_aside(context, holdout)
    file, limit = plan_file(without_held_out), context.profile.time_limit
    found, changed = file.read()
    if found is None:
        why = f"{file.path} was made from other {', '.join(changed)}" if changed else ""
        context.progress.remark(
            f"time_limit = {limit}: {why or 'no plan is stored'}, so a run would measure, and "
            "leave out what does not fit. Below stands all of it."
        )
        return context
    context.progress.remark(f"time_limit = {limit}: the stored plan {file.path} would be obeyed")
    return replace(context, profile=reduced_by(found, context))


def _store(context: Context[Profile], temporary: Path, own_folds: PathLike | None) -> OofStore:
    """Open the store with its folds, which are made in memory where it has none."""
    wanted, path = context.profile.folds, temporary / "folds.csv"
    if context.folds_file.is_file():
        shutil.copyfile(context.folds_file, path)
    own = None if own_folds is None else Path(own_folds)
    folds = load_or_make_folds(path, context.dataset, wanted.n, wanted.seed, own, Progress())
    dataset = context.dataset
    return OofStore(context.store_folder, tuple(dataset.tag_names), folds, dataset.test_ids)


def _feature(so_far: FeatureSoFar, costs: Costs, n_all: int) -> Part:
    n_ads, n_pending = len(so_far.ads), len(so_far.pending)
    cost = costs.of_extractor(so_far.planned.entry.name, so_far.n_items)
    return Part("feature", so_far.name, n_ads - n_pending, n_ads, cost)


def _model(
    planned: PlannedModel, scratch: Context[Profile], store: OofStore, costs: Costs
) -> tuple[Part, ModelCard | None]:
    whole, n = costs.of_model(planned), store.folds.n
    cells = scratch.dataset.ads[list(planned.columns)]
    if any((cells[column] == TO_COME).any() for column in cells):
        return Part("model", planned.name, 0, n, whole), None
    job = level1_job(planned, scratch, store.folds, prepare=name_columns)
    card = store.current_card(job.name, job.fingerprint)
    if isinstance(card, Level1Card):
        return Part("model", planned.name, n, n, whole), card
    pending = _pending(job, store)
    left = None if whole.seconds is None else whole.seconds * pending / n
    # All folds may be stored without a card: they are then joined, and nothing is fitted.
    return Part("model", planned.name, n - pending, n, replace(whole, seconds=left)), None


def _pending(job: Level1Job, store: OofStore) -> int:
    try:
        return len(pending_folds(job, store))
    except StoreError:  # a damaged fold is run again
        return store.folds.n


def _stacks(
    context: Context[Profile],
    cards: Sequence[ModelCard | None],
    planned: Sequence[PlannedModel],
    store: OofStore,
    costs: Costs,
) -> list[Part]:
    parts = []
    for profile in (context.profile, *beside(context.profile)):
        learners = tuple(plan_meta_learners(profile))
        called = SELECTION if len(learners) > 1 else learners[0]
        known = [card for card in cards if card is not None]
        card = None
        if len(known) == len(cards):
            card = stored_stack(known, store, replace(context, profile=profile))
        cost = stack_cost(costs, learners, [one.name for one in planned])
        is_stored = isinstance(card, StackCard)
        parts.append(Part("stack", STACK + called, int(is_stored), 1, cost))
    return parts


def stack_cost(costs: Costs, learners: tuple[str, ...], models: list[str]) -> Cost:
    """What a stack costs: as much as a stored one, else what its meta-learners cost together."""
    found = costs.of_stack(learners, models)
    alone = len(learners) == 1
    each = [costs.of_learner(name, len(models), alone=alone) for name in learners]
    memory = max((one.memory or 0.0 for one in each), default=0.0) or None
    if found is not None:
        return replace(found, memory=memory)
    basis: Basis = "table" if all(one.seconds is not None for one in each) else "not known"
    seconds = sum(one.seconds or 0.0 for one in each)
    return Cost(seconds or None, memory, basis)
