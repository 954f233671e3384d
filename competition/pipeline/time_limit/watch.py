"""A run that ends in time: it measures first parts, keeps what fits and leaves out the rest.

Of the time limit a share is kept for level 2, the submission and the page; a part of it, for what
comes after level 2, by ads and tags. In what is left

1. some ads of each feature are extracted; the features that take least stay, as long as two thirds
   of the time are left for level 1, or less where less is needed;
2. the cheapest model of texts and metadata is run, whatever it takes; of every other one the first
   fold; those that take least stay;
3. one fit of each meta-learner is timed; those that take least stay.

Time alone decides: no score is looked at. What is stored costs nothing. What was decided is
written as the plan of the run (`competition.pipeline.time_limit.plan`), and a run that finds a plan
obeys it. What does not end when it should is stopped and left out after all.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import get_args

from competition.config.profile import Profile
from competition.datasets.base import AdDataset
from competition.execution.within import StoppableWorkers
from competition.features.store import Digests
from competition.oof.store import LOCKS
from competition.pipeline.context import Context
from competition.pipeline.costs import Costs, Size
from competition.pipeline.holdout import set_aside
from competition.pipeline.imagined import model_names
from competition.pipeline.settings import beside, plan_meta_learners
from competition.pipeline.time_limit.plan import Decided, PlanFile, TimePlan, plan_file
from competition.utils.durations import about
from competition.utils.errors import ProfileError
from competition.utils.files import PathLike
from competition.utils.locks import locked

LEVEL2 = 0.15  # of the limit, for level 2, the submission and the page
MOST = 0.4  # of it, where they need more
STARTED = 3.0  # seconds that Python took to get here
SLACK = 1.15  # what is measured takes longer where much runs at once
ROUGH = 3.0  # what the table of costs may be wrong by
NOT_TRIED = "not tried, as it takes about {} by the table of costs"


@dataclass
class Watch:
    """The time of a run, and its plan.

    Attributes
    ----------
    began, limit : float
        Of `time.monotonic`, and in seconds.
    file : PlanFile
    plan : TimePlan
        As far as it is decided.
    obeyed : bool
        Whether it was there when the run began.
    workers : StoppableWorkers
        What is measured runs in them.
    needs : float
        Seconds that level 2, the submission and the page take, by the table of costs.
    held : ExitStack
        The lock of the plan, as long as it is not decided, and the processes.
    n_trained : int
        Folds that were run to measure, and those that followed.
    pace : float
        How many times as long as the table says level 1 has taken: more where the machine is busy.
    """

    began: float
    limit: float
    file: PlanFile
    plan: TimePlan
    obeyed: bool
    workers: StoppableWorkers
    needs: float
    held: ExitStack
    n_trained: int = 0
    pace: float = 1.0

    @property
    def level1_ends(self) -> float:
        """The moment, of `time.monotonic`, at which level 1 is to have ended."""
        share = max(LEVEL2, min(MOST, SLACK * self.needs / self.limit))
        return self.began + (1 - share) * self.limit

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.began

    def decide(self, part: Decided, **changed: object) -> None:
        """Write the plan with one more part decided."""
        decided = tuple(dict.fromkeys((*self.plan.decided, part)))
        self.plan = self.plan.model_copy(update={"decided": decided, **changed})
        self.file.write(self.plan)

    def end(self) -> None:
        """Nothing is measured any more: stop the processes, and let other runs obey the plan."""
        self.held.close()


@contextmanager
def watching(
    context: Context[Profile], holdout: float | PathLike | None, began: float
) -> Iterator[Watch | None]:
    """Watch the time of a run during the block; None where its profile has no limit.

    One run at a time measures: another one with the same plan waits until it is made.

    Parameters
    ----------
    context : Context
        With the ads as they came.
    holdout : float, path or None
    began : float
        Of `time.monotonic`: when the run began.
    """
    if context.profile.seconds is None:
        yield None
        return
    with ExitStack() as held:
        yield _opened(context, context.profile.seconds, holdout, began - STARTED, held)


def _opened(
    context: Context[Profile],
    limit: float,
    holdout: float | PathLike | None,
    began: float,
    held: ExitStack,
) -> Watch:
    scored, _ = set_aside(context, holdout)
    digests = Digests(context.digests_file)
    file = plan_file(scored, digests)
    digests.save()
    stored, changed = file.read()
    if _left(stored):
        asked = time.monotonic()
        held.enter_context(locked(scored.store_folder / LOCKS, [file.path.name], context.progress))
        began += time.monotonic() - asked  # what is waited for had a limit of its own
        stored, changed = file.read()
    left = _left(stored)
    _remark(file, stored, left, changed, context)
    if not left:
        held.close()
    workers = StoppableWorkers(context.n_jobs)
    held.callback(workers.close)
    if left:
        workers.prepare()
    plan = stored or TimePlan(limit=str(context.profile.time_limit), made_from=dict(file.made_from))
    return Watch(began, limit, file, plan, not left, workers, _needs(context, limit), held)


def _left(plan: TimePlan | None) -> list[str]:
    """What a plan has not decided yet."""
    return [part for part in get_args(Decided) if plan is None or part not in plan.decided]


def _remark(
    file: PlanFile,
    stored: TimePlan | None,
    left: Sequence[str],
    changed: Sequence[str],
    context: Context[Profile],
) -> None:
    """Say whether a stored plan is obeyed."""
    limit = context.profile.time_limit
    if changed:
        context.progress.remark(
            f"time_limit = {limit}: the stored plan {file.path} was made from other "
            f"{', '.join(changed)}, so it is made anew."
        )
    elif stored is not None:
        further = f" as far as it goes; then {' and '.join(left)} are measured" if left else ""
        context.progress.remark(
            f"time_limit = {limit}: the stored plan {file.path} is obeyed{further}. Remove that "
            "file to measure again and make a new one."
        )


def _needs(context: Context[Profile], limit: float) -> float:
    """Seconds of level 2, the submission and the page, by the table of costs.

    A meta-learner that alone takes more than level 2 may does not count: models come first.
    """
    profile, dataset = context.profile, context.dataset
    costs = Costs(context.out, size_of(dataset, profile.folds.n))
    n_models = len(model_names(context))
    seconds = 0.0
    for one in (profile, *beside(profile)):
        learners = plan_meta_learners(one)
        for name in learners:
            cost = costs.of_learner(name, n_models, alone=len(learners) == 1)
            took = (cost.seconds or 0.0) / context.n_jobs
            seconds += took if took < LEVEL2 * limit else 0.0
    return seconds + reserve(dataset)


def refuse_elsewhere(profile: Profile, engine: str) -> None:
    """Refuse a time limit where tasks wait for other machines.

    Raises
    ------
    ProfileError
        If the profile has one.
    """
    if getattr(profile, "time_limit", None) is not None:
        raise ProfileError(
            f"time_limit = {profile.time_limit}: nobody knows how long tasks wait for a place on "
            f"--on {engine}. Leave out one of the two."
        )


def reserve(dataset: AdDataset) -> float:
    """Seconds for the submission and the page, as they were measured (benchmarks/time_limit.md)."""
    n_cells = len(dataset.ads) * len(dataset.tags)
    pictures = any(given.kind in ("image", "video") for given in dataset.inputs.values())
    return 5.0 + 8e-6 * n_cells + (0.02 * min(500, len(dataset.ads)) if pictures else 0.0)


def size_of(dataset: AdDataset, n_folds: int) -> Size:
    """How much there is to learn from."""
    return Size(len(dataset.train_ids), len(dataset.tags), n_folds)


def say(watch: Watch, remark: Callable[[str], None]) -> None:
    """Say what the plan leaves out, and whether the run has kept to its time."""
    sentences = watch.plan.sentences()
    for sentence in sentences:
        remark(sentence)
    if not sentences:
        remark(f"Nothing is left out for the time limit of {watch.plan.limit}.")
    if not watch.obeyed:
        remark(
            f"That is the plan {watch.file.path}. The same command obeys it from now on; remove "
            "the file to make a new one."
        )
    if watch.seconds > watch.limit:
        remark(
            f"The time limit of {watch.plan.limit} was overrun: {about(watch.seconds)}. What is "
            "never left out takes longer."
        )
