"""Level 1 of a run: what each model is made from, and the cross-fits that are not stored yet."""

from typing import Any

from competition.config.profile import Profile
from competition.features.prepare import prepare_columns
from competition.folds import Folds
from competition.level1.registry import get_model
from competition.oof.store import OofStore
from competition.pipeline.context import Context
from competition.pipeline.crossfit import Level1Job, cross_fit, make_estimator, pending_folds
from competition.pipeline.fingerprints import level1_fingerprint
from competition.pipeline.plan import PlannedModel


def level1_job(planned: PlannedModel, context: Context[Profile], folds: Folds) -> Level1Job:
    """Prepare a model's columns and say what its predictions are made from."""
    dataset = context.dataset
    estimator = make_estimator(planned.model, planned.params)
    terms = getattr(estimator, "text_terms", None)
    files = estimator.files() if hasattr(estimator, "files") else ()
    columns = prepare_columns(
        dataset, planned.columns, terms, context.columns_folder, context.progress
    )
    module = get_model(planned.model).make.__module__
    fingerprint = level1_fingerprint(
        planned, module, columns, files, context.profile.seed, dataset, folds
    )
    return Level1Job(planned.name, planned.model, planned.params, columns, fingerprint)


def cross_fit_models(
    jobs: list[Level1Job], store: OofStore, context: Context[Profile]
) -> tuple[list[dict[str, Any]], int]:
    """Cross-fit the models that are not stored; return all cards and the number of tasks run."""
    cards = {
        job.name: store.current_card(job.name, job.fingerprint, context.progress) for job in jobs
    }
    waiting = [job for job in jobs if cards[job.name] is None]
    total = sum(len(pending_folds(job, store)) for job in waiting)
    cross_fit(waiting, store, context)
    for job in waiting:
        about = {
            "level1": job.model,
            "inputs": [column.name for column in job.columns],
            "parameters": job.params,
            "seed": context.profile.seed,
        }
        cards[job.name] = store.finish(job.name, job.fingerprint, context.dataset, about)
    return [card for card in cards.values() if card is not None], total
