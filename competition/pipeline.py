"""The whole run: ads, folds, level-1 models, stack, scores, submission."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from competition.config import PlannedModel, Profile, plan_facts, plan_models
from competition.crossfit import (
    Level1Job,
    ModelContext,
    cross_fit,
    make_estimator,
    pending_folds,
)
from competition.datasets.base import AdDataset
from competition.extraction import Extraction, open_ads
from competition.features.prepare import prepare_columns
from competition.fingerprints import level1_fingerprint
from competition.folds import Folds, settle_folds
from competition.holdout import hold_out, score_holdout
from competition.level1.registry import get_model
from competition.level2.registry import meta_parameters
from competition.metrics import Scores
from competition.oof import OofStore
from competition.stacking import settle_stack
from competition.submit import Submitted, submit
from competition.watch import Watch


@dataclass(frozen=True, eq=False)
class RunResult:
    """What a run leaves behind.

    Attributes
    ----------
    dataset : AdDataset
    extractions : list of Extraction
        What became of every feature.
    store : OofStore
    cards : list of dict
        Card of every level-1 model.
    stack : dict
        Card of the stack.
    n_trained : int
        (model, fold) tasks of level 1 that were run, not read.
    submitted : Submitted or None
        None where the dataset has no test ads.
    holdout : Scores or None
        Of the stack on the training ads that were held out, if there were any.
    """

    dataset: AdDataset
    extractions: list[Extraction]
    store: OofStore
    cards: list[dict[str, Any]]
    stack: dict[str, Any]
    n_trained: int
    submitted: Submitted | None
    holdout: Scores | None = None


def run(
    data: Path,
    profile: Profile,
    out: Path,
    *,
    n_jobs: int | None = None,
    own_folds: Path | None = None,
    holdout: float | None = None,
    device: str = "auto",
    watch: Watch | None = None,
) -> RunResult:
    """Run a profile on a folder of ads; what is stored already is read, not run.

    Parameters
    ----------
    data : Path
        Folder of ads.
    profile : Profile
    out : Path
        Folder that holds ``oof/``, ``submissions/`` and ``cache/``.
    n_jobs : int or None
        (model, fold) tasks at a time; None takes one per core.
    own_folds : Path or None
        A user's own folds.csv.
    holdout : float or None
        Share of the training ads to keep from everything and to score at the end; the run then has
        a store of its own.
    device : str
        Where networks run: a name of PyTorch's, or "auto".
    watch : Watch or None
        Is told how far the run has come.
    """
    watch = watch or Watch()
    cores = n_cores()
    n_jobs = n_jobs or cores
    dataset, extractions = open_ads(
        data, profile, out, n_jobs=n_jobs, n_cores=cores, device=device, watch=watch
    )
    cache = out / "cache" / dataset.name
    held_out = None
    if holdout is not None:
        dataset, held_out = hold_out(dataset, holdout, profile.folds.seed)
    plan = plan_models(profile, dataset)
    absent = sorted(set(profile.level1) - {planned.name for planned in plan})
    if absent:
        watch.say(f"Left out, as nothing that they read is there: {', '.join(absent)}.")
    store = open_store(dataset, profile, out, own_folds)
    folds = store.folds
    watch.say(
        f"{dataset.name}: {len(folds.ids):,} training ads and {len(store.test_ids):,} test ads, "
        f"{len(store.tags)} tags, {folds.n} folds, {len(plan)} level-1 models"
    )
    if own_folds is None and folds.n != profile.folds.n:
        watch.say(
            f"The profile asks for {profile.folds.n} folds; the {folds.n} of "
            f"{store.folder / 'folds.csv'} are obeyed. Remove that file to make new ones."
        )
    jobs = [level1_job(planned, profile.seed, dataset, folds, cache, watch) for planned in plan]
    context = model_context(profile, dataset, device)
    cards, n_trained = settle_level1(jobs, context, dataset, store, n_jobs, cores, watch)
    params = {
        name: meta_parameters(name, given, profile.seed)
        for name, given in profile.level2.params.items()
    }
    facts = plan_facts(profile, dataset)
    stack = settle_stack(
        params, facts, cards, dataset, store, seed=profile.seed, n_jobs=n_jobs, watch=watch
    )
    submitted = submit(dataset, store, stack, out / "submissions", held_out)
    kept = None if held_out is None else score_holdout(dataset, store, stack["model"], held_out)
    return RunResult(dataset, extractions, store, cards, stack, n_trained, submitted, kept)


def open_store(
    dataset: AdDataset, profile: Profile, out: Path, own_folds: Path | None = None
) -> OofStore:
    """Open a dataset's store below `out`; its folds are made where it has none."""
    folder = out / "oof" / dataset.name
    wanted = profile.folds
    folds = settle_folds(folder / "folds.csv", dataset, wanted.n, wanted.seed, own_folds)
    return OofStore(folder, tuple(dataset.tag_names), folds, dataset.test_ids)


def model_context(profile: Profile, dataset: AdDataset, device: str) -> ModelContext:
    """Say what any level-1 model may be given."""
    return ModelContext(profile.seed, device, tuple(tag.dimension for tag in dataset.tags))


def level1_job(
    planned: PlannedModel, seed: int, dataset: AdDataset, folds: Folds, cache: Path, watch: Watch
) -> Level1Job:
    """Prepare a model's columns and say what its predictions will be made from."""
    estimator = make_estimator(planned.model, planned.params)
    terms = getattr(estimator, "text_terms", None)
    files = estimator.files() if hasattr(estimator, "files") else ()
    columns = prepare_columns(dataset, planned.columns, terms, cache, watch)
    module = get_model(planned.model).make.__module__
    fingerprint = level1_fingerprint(planned, module, columns, files, seed, dataset, folds)
    return Level1Job(planned.name, planned.model, planned.params, columns, fingerprint)


def settle_level1(
    jobs: list[Level1Job],
    context: ModelContext,
    dataset: AdDataset,
    store: OofStore,
    n_jobs: int,
    cores: int,
    watch: Watch,
) -> tuple[list[dict[str, Any]], int]:
    """Cross-fit the models that are not stored; return all cards and the number of tasks run."""
    cards = {job.name: store.current_card(job.name, job.fingerprint, watch) for job in jobs}
    waiting = [job for job in jobs if cards[job.name] is None]
    total = sum(len(pending_folds(job, store)) for job in waiting)
    cross_fit(
        waiting,
        store,
        dataset.labels,
        context=context,
        n_jobs=n_jobs,
        n_cores=cores,
        watch=watch,
    )
    for job in waiting:
        about = {
            "level1": job.model,
            "inputs": [column.name for column in job.columns],
            "parameters": job.params,
            "seed": context.seed,
        }
        cards[job.name] = store.finish(job.name, job.fingerprint, dataset, about)
    return [card for card in cards.values() if card is not None], total


def n_cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1
