"""Level 1 of a run: what each model is made from, and the cross-fits that are not stored yet."""

from pathlib import Path

from competition.config.profile import Profile
from competition.datasets.base import AdDataset
from competition.features.prepare import prepare_columns
from competition.folds import Folds, load_or_make_folds
from competition.level1.registry import get_model
from competition.oof.cards import Level1Card, Level1Details
from competition.oof.store import OofStore
from competition.pipeline.crossfit import (
    Level1Job,
    ModelContext,
    cross_fit,
    make_estimator,
    pending_folds,
)
from competition.pipeline.fingerprints import level1_fingerprint
from competition.pipeline.plan import PlannedModel
from competition.utils.progress import Progress


def open_store(
    dataset: AdDataset,
    profile: Profile,
    out: Path,
    own_folds: Path | None = None,
    progress: Progress | None = None,
) -> OofStore:
    """Open a dataset's store below `out`; its folds are made where it has none."""
    folder = out / "oof" / dataset.name
    wanted = profile.folds
    folds = load_or_make_folds(
        folder / "folds.csv", dataset, wanted.n, wanted.seed, own_folds, progress
    )
    return OofStore(folder, tuple(dataset.tag_names), folds, dataset.test_ids)


def model_context(profile: Profile, dataset: AdDataset, device: str) -> ModelContext:
    """Say what any level-1 model may be given."""
    return ModelContext(profile.seed, device, tuple(tag.dimension for tag in dataset.tags))


def level1_job(
    planned: PlannedModel,
    seed: int,
    dataset: AdDataset,
    folds: Folds,
    cache: Path,
    progress: Progress,
) -> Level1Job:
    """Prepare a model's columns and say what its predictions will be made from."""
    estimator = make_estimator(planned.model, planned.params)
    columns = prepare_columns(dataset, planned.columns, estimator.text_terms, cache, progress)
    # A function may lie in one module, the class of what it makes in another.
    modules = {get_model(planned.model).make.__module__, type(estimator).__module__}
    fingerprint = level1_fingerprint(
        planned, sorted(modules), columns, estimator.files(), seed, dataset, folds
    )
    return Level1Job(planned.name, planned.model, planned.params, columns, fingerprint)


def cross_fit_models(
    jobs: list[Level1Job],
    context: ModelContext,
    dataset: AdDataset,
    store: OofStore,
    n_jobs: int,
    cores: int,
    progress: Progress,
) -> tuple[list[Level1Card], int]:
    """Cross-fit the models that are not stored; return all cards and the number of tasks run."""
    cards = {job.name: store.current_card(job.name, job.fingerprint) for job in jobs}
    waiting = [job for job in jobs if cards[job.name] is None]
    for job in waiting:
        store.withdraw_stale_card(job.name, job.fingerprint, progress)
    total = sum(len(pending_folds(job, store)) for job in waiting)
    cross_fit(
        waiting,
        store,
        dataset.labels,
        context=context,
        n_jobs=n_jobs,
        n_cores=cores,
        progress=progress,
    )
    for job in waiting:
        details = Level1Details(
            kind=job.kind,
            level1=job.model,
            inputs=tuple(column.name for column in job.columns),
            parameters=job.params,
            seed=context.seed,
        )
        cards[job.name] = store.finish(job.name, job.fingerprint, dataset, details)
    return [card for card in cards.values() if isinstance(card, Level1Card)], total
