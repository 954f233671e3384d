"""Level 1 of a run: what each model is made from, and the cross-fits that are not stored yet."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from competition.config.profile import Profile
from competition.features.columns import Column
from competition.features.prepare import prepare_columns
from competition.folds import Folds
from competition.level1.registry import get_model
from competition.oof.cards import Card, ExternalCard, Level1Card, Level1Details
from competition.oof.store import OofStore
from competition.pipeline.context import Context
from competition.pipeline.crossfit import Level1Job, cross_fit, make_estimator, pending_folds
from competition.pipeline.fingerprints import level1_fingerprint
from competition.pipeline.origins import origin
from competition.pipeline.plan import PlannedModel
from competition.utils.errors import StoreError


def level1_job(
    planned: PlannedModel,
    context: Context[Profile],
    folds: Folds,
    further_modules: Iterable[str] = (),
    prepare: Callable[..., tuple[Column, ...]] = prepare_columns,
) -> Level1Job:
    """Prepare a model's columns and say what its predictions are made from.

    Parameters
    ----------
    planned : PlannedModel
    context : Context
    folds : Folds
    further_modules : iterable of str
        Modules of other models that this one makes use of.
    prepare : callable
        `prepare_columns`, or `name_columns` where nothing is to be stored.
    """
    dataset = context.dataset
    estimator = make_estimator(planned.model, planned.params)
    columns = prepare(
        dataset, planned.columns, estimator.text_terms, context.columns_folder, context.progress
    )
    # A function may lie in one module, the class of what it makes in another.
    modules = {get_model(planned.model).make.__module__, type(estimator).__module__}
    modules |= {type(part).__module__ for part in estimator.parts()}
    modules |= set(further_modules)
    seed = context.profile.seed
    fingerprint = level1_fingerprint(
        planned, sorted(modules), columns, estimator.files(), seed, dataset, folds
    )
    return Level1Job(planned.name, planned.model, planned.params, columns, fingerprint)


def check_not_brought(names: Iterable[str], store: OofStore) -> None:
    """Raise a StoreError if a model to train has the name of one that was made elsewhere."""
    for name in names:
        try:
            card = store.card(name)
        except StoreError:  # of another version or damaged: it is made again
            continue
        if isinstance(card, ExternalCard):
            raise StoreError(
                f"level1.{name}: {store.folder / name} holds predictions of that name that were "
                f"brought by `add-oof`. Call them otherwise (`python -m competition oof rename "
                f"{name} NEW`), or the model in the profile."
            )


@contextmanager
def cross_fitted_models(
    jobs: list[Level1Job], store: OofStore, context: Context[Profile]
) -> Iterator[tuple[list[Level1Card], int]]:
    """Cross-fit the models that are not stored; yield all cards and the number of tasks run.

    What was cross-fitted stays locked during the block: what a stack reads there is what was made
    here, whatever other runs are up to.
    """
    cards = {job.name: store.current_card(job.name, job.fingerprint) for job in jobs}
    absent = [job for job in jobs if cards[job.name] is None or _lacks_models(job, store, context)]
    with store.locked([job.name for job in absent], context.progress):
        check_not_brought([job.name for job in absent], store)
        for job in absent:  # another run may have made it while this one waited
            cards[job.name] = store.current_card(job.name, job.fingerprint)
        waiting = [
            job for job in absent if cards[job.name] is None or _lacks_models(job, store, context)
        ]
        total = _cross_fit(waiting, cards, store, context)
        yield [card for card in cards.values() if isinstance(card, Level1Card)], total


def _lacks_models(job: Level1Job, store: OofStore, context: Context[Profile]) -> bool:
    """Whether fitted models are to be kept, and those of some fold are not."""
    return context.keep_models and bool(pending_folds(job, store, keep=True))


def _cross_fit(
    jobs: list[Level1Job],
    cards: dict[str, Card | None],
    store: OofStore,
    context: Context[Profile],
) -> int:
    """Cross-fit models, and add their cards to `cards`; return the number of tasks run."""
    for job in jobs:
        store.withdraw(job.name, job.fingerprint, context.progress)
    total = sum(len(pending_folds(job, store, context.keep_models)) for job in jobs)
    cross_fit(jobs, store, context)
    for job in jobs:
        details = Level1Details(
            kind=job.kind,
            level1=job.model,
            inputs=tuple(column.name for column in job.columns),
            parameters=job.params,
            seed=context.profile.seed,
            origin=origin(job.params, [column.name for column in job.columns], context.dataset),
        )
        cards[job.name] = store.finish(job.name, job.fingerprint, context.dataset, details)
    return total
