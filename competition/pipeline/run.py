"""The whole run, in the order of the paper's figure: ads, features, folds, level 1, level 2, file.

::

    ads -> features -> level-1 models -> OOF predictions -> meta-learner -> submission
     └----> folds --------^
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from competition.config.profile import Profile
from competition.datasets.base import AdDataset
from competition.evaluation.metrics import Scores
from competition.execution.engines import LOCAL, running_on
from competition.folds import Folds
from competition.oof.cards import Card, Level1Card, StackCard
from competition.oof.store import OofStore
from competition.pipeline.context import Context, open_context, open_store
from competition.pipeline.crossfit import Level1Job, check_savable, make_estimator
from competition.pipeline.extract import Extraction, extract_features
from competition.pipeline.holdout import Holdout, described, n_test_ads, score_holdout, set_aside
from competition.pipeline.level1 import check_not_brought, cross_fitted_models, level1_job
from competition.pipeline.plan import PlannedModel, check_level2, plan_models
from competition.pipeline.quality import Shaped, with_quality
from competition.pipeline.record import Recorder
from competition.pipeline.settings import beside
from competition.pipeline.stack import fitted_stack
from competition.pipeline.submit import Submitted, open_sample, submit
from competition.pipeline.time_limit.features import features_in_time
from competition.pipeline.time_limit.level1 import level1_in_time
from competition.pipeline.time_limit.level2 import level2_in_time
from competition.pipeline.time_limit.plan import PlanRecord
from competition.pipeline.time_limit.watch import Watch, refuse_elsewhere, say, watching
from competition.utils.errors import ModelError
from competition.utils.files import PathLike
from competition.utils.progress import Progress

BeforeTraining: TypeAlias = Callable[[Context[Profile], Sequence[Extraction], Folds], None]


@dataclass(frozen=True, eq=False)
class RunResult:
    """What a run leaves behind.

    Attributes
    ----------
    dataset : AdDataset
    extractions : list of Extraction
        What became of every feature.
    store : OofStore
    cards : list of Level1Card
        Of every level-1 model.
    stack : StackCard
    n_trained : int
        (model, fold) tasks of level 1 that were run, not read.
    submitted : Submitted or None
        None where the dataset has no test ads.
    holdout : Scores or None
        Of the stack on the training ads that were held out, if there were any.
    beside : list of StackCard
        Of other stacks of the same models, which are not submitted.
    jobs : list of Level1Job
        The level-1 models with what they read.
    own : AdDataset
        The ads as they came, without features.
    context : Context
        With the ads and their features.
    """

    dataset: AdDataset
    extractions: list[Extraction]
    store: OofStore
    cards: list[Level1Card]
    stack: StackCard
    n_trained: int
    submitted: Submitted | None
    holdout: Scores | None
    beside: list[StackCard]
    jobs: list[Level1Job]
    own: AdDataset
    context: Context[Profile]


def run(
    data: PathLike | AdDataset,
    profile: Profile,
    out: PathLike = ".",
    *,
    n_jobs: int | None = None,
    own_folds: PathLike | None = None,
    holdout: float | PathLike | None = None,
    like: PathLike | None = None,
    device: str = "auto",
    on: str = LOCAL,
    keep: Literal["folds", "refit"] | None = None,
    before_training: BeforeTraining | None = None,
    progress: Progress | None = None,
) -> RunResult:
    """Run a profile on a folder of ads; what is stored already is read, not run.

    Parameters
    ----------
    data : path or AdDataset
        Folder of ads, or ads that are read already.
    profile : Profile
    out : path
        Folder that receives ``oof/``, ``submissions/`` and ``cache/``.
    n_jobs : int or None
        (model, fold) tasks at a time; None takes one per core.
    own_folds : path or None
        A user's own folds.csv, or the folder of the baseline's split files (TAAC 2021).
    holdout : float, path or None
        Share of the training ads that nothing learns from, and that the stack is scored on at the
        end, or a split file of the TAAC 2021 baseline that lists them; such a run has a store of
        its own.
    like : path or None
        A sample submission, whose header, rows, order and form the leaderboard file takes.
    device : str
        Where networks run: a name of PyTorch's, or "auto".
    on : str
        Where tasks run: "local", "ray", "slurm" or "slurm:local"
        (`competition.execution.engines`). Results do not depend on it.
    keep : {"folds", "refit"} or None
        What `save_stack` will be called with. For ``"folds"`` the fitted level-1 models of each
        fold are kept in the store, and folds whose model is not there are fitted again. Models that
        cannot be saved are refused before anything is trained.
    before_training : callable or None
        Takes the context with the ads and their features, the extractions and the folds, once all
        are there; what it raises stops the run before anything is trained.
    progress : Progress or None
        Receives remarks and the progress of every stage.

    Raises
    ------
    CompetitionError
        If the ads, the profile or a stored file cannot be used; the message says what to do.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from competition import load_profile, make_demo, run
    >>> quick = ['models=["tfidf_logreg"]', "folds.n=3", "level2.model=mean"]
    >>> with TemporaryDirectory() as folder:
    ...     make_demo(f"{folder}/ads", 40, films=False)
    ...     result = run(f"{folder}/ads", load_profile("text", quick), folder, n_jobs=1)
    >>> result.n_trained
    3
    >>> [card.model for card in result.cards]
    ['tfidf_logreg']
    """
    began = time.monotonic()
    if on != LOCAL:
        refuse_elsewhere(profile, on)
    with Recorder("run", progress or Progress()) as recorder, ExitStack() as engine:
        recorder.begin("reading")
        context = open_context(data, profile, out, n_jobs=n_jobs, device=device, progress=recorder)
        engine.enter_context(running_on(on, context.out, context.dataset.root, n_jobs, recorder))
        context = replace(context, keep_models=keep == "folds")
        own = context.dataset
        sample = open_sample(like, context)
        context, shape = with_quality(context)
        watch = engine.enter_context(watching(context, holdout, began))
        recorder.begin("features")
        if watch is not None:
            context = features_in_time(context, watch)
        context, extractions = extract_features(context)
        recorder.begin("level 1")
        context, held_out = set_aside(context, holdout)
        plan = plan_models(context.profile, context.dataset, context.progress)
        check_level2(context.profile, context.dataset, context.progress)
        store = open_store(context, None if own_folds is None else Path(own_folds))
        check_not_brought([planned.name for planned in plan], store)
        _remark(context, plan, store, held_out, has_own_folds=own_folds is not None)
        if before_training is not None:
            before_training(context, extractions, store.folds)
        jobs = [level1_job(planned, context, store.folds) for planned in plan]
        for job in jobs if keep else []:
            check_savable(job.name, make_estimator(job.model, job.params))
        if watch is not None:
            context = level1_in_time(context, own, store, watch)
            left = plan_models(context.profile, context.dataset)
            jobs = [level1_job(planned, context, store.folds) for planned in left]
        with cross_fitted_models(jobs, store, context) as (cards, n_trained):
            recorder.begin("level 2")
            if watch is not None:
                context = level2_in_time(cards, store, context, watch)
                n_trained += watch.n_trained
            record = _plan_record(profile, shape, watch)
            with fitted_stack(cards, store, context) as stack:
                others = _stacks_beside(cards, store, context)
                recorder.begin("submission")
                submitted = submit(context, store, stack, held_out, sample, record)
                scores = score_holdout(context.dataset, store, stack, held_out)
                of_all: list[Card] = [*cards, *others]
                if watch is not None:
                    say(watch, context.progress.remark)
                counts = n_trained, n_test_ads(store, held_out)
                recorder.write(context, store, of_all, stack, submitted, scores, *counts, record)
    return RunResult(
        context.dataset,
        extractions,
        store,
        cards,
        stack,
        n_trained,
        submitted,
        scores,
        others,
        jobs,
        own,
        replace(context, progress=progress or Progress()),
    )


def _plan_record(profile: Profile, shape: Shaped, watch: Watch | None) -> PlanRecord:
    """What the quality and the time limit leave out."""
    time = None if watch is None else watch.plan
    return PlanRecord(
        quality=profile.quality,
        models=shape.models,
        features=shape.features,
        learners=shape.learners,
        time=time,
    )


def _stacks_beside(
    cards: list[Level1Card], store: OofStore, context: Context[Profile]
) -> list[StackCard]:
    """Stack by each meta-learner that is shown beside; one that fails is left out."""
    found = []
    for profile in beside(context.profile):
        try:
            with fitted_stack(cards, store, replace(context, profile=profile)) as card:
                found.append(card)
        except ModelError as bad:
            context.progress.remark(f"{profile.level2.model} is not shown beside: {bad}")
    return found


def _remark(
    context: Context[Profile],
    plan: list[PlannedModel],
    store: OofStore,
    held_out: Holdout | None,
    *,
    has_own_folds: bool,
) -> None:
    """Report what runs on which folds."""
    profile, folds, remark = context.profile, store.folds, context.progress.remark
    remark(f"{described(context.dataset, store, held_out)}, {len(plan)} level-1 models")
    if not has_own_folds and folds.n != profile.folds.n:
        remark(
            f"The profile says {profile.folds.n} folds; the {folds.n} of {context.folds_file} are "
            "obeyed. Remove that file to make new ones."
        )
