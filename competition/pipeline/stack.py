"""The stack of the level-1 models that are stored, by the best meta-learner."""

import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from competition.config.profile import StackSettings
from competition.datasets.base import AdDataset
from competition.evaluation.metrics import Scores
from competition.execution.engines import LOCAL, running_on
from competition.level2.kept import KeptCrossFits
from competition.level2.registry import get_meta_learner
from competition.level2.selection import nested_selection
from competition.oof.cards import (
    ExternalCard,
    Level1Card,
    ModelCard,
    OutdatedCardError,
    StackCard,
    StackDetails,
)
from competition.oof.fold_files import Fingerprint, shared_components
from competition.oof.store import OofStore
from competition.pipeline.blends import write_blends
from competition.pipeline.context import AnyContext, open_context, open_store
from competition.pipeline.external_models import still_fits
from competition.pipeline.fingerprints import stack_fingerprint
from competition.pipeline.holdout import described, n_test_ads, score_holdout, set_aside
from competition.pipeline.plan import check_level2, plan_metadata
from competition.pipeline.record import Recorder
from competition.pipeline.settings import plan_meta_learners
from competition.pipeline.stack_checks import best_model, gain_of, large_offsets
from competition.pipeline.stack_input import STACK, stack_input, told_apart, write_stack
from competition.pipeline.stored import UNFIT, chosen_of
from competition.pipeline.submit import Submitted, open_sample, submit
from competition.utils.errors import ModelError, StoreError
from competition.utils.files import PathLike, digest
from competition.utils.progress import Progress

CROSS_FITS = "cross-fits"  # folder of those of a stack that is not finished
SELECTION = "selection"  # names the stack of several meta-learners


@dataclass(frozen=True, eq=False)
class StackResult:
    """What `stack` leaves behind.

    Attributes
    ----------
    dataset : AdDataset
    cards : list of Level1Card or ExternalCard
        Of every level-1 model that was stacked.
    card : StackCard
    submitted : Submitted or None
        None where the dataset has no test ads.
    holdout : Scores or None
        On the training ads that were held out, if there were any.
    """

    dataset: AdDataset
    cards: list[ModelCard]
    card: StackCard
    submitted: Submitted | None
    holdout: Scores | None = None


def stack(
    data: PathLike | AdDataset,
    settings: StackSettings,
    out: PathLike = ".",
    *,
    n_jobs: int | None = None,
    holdout: float | PathLike | None = None,
    like: PathLike | None = None,
    only: Sequence[str] = (),
    without: Sequence[str] = (),
    on: str = LOCAL,
    progress: Progress | None = None,
) -> StackResult:
    """Stack the level-1 models that are stored for a folder of ads.

    Parameters
    ----------
    data : path or AdDataset
        Folder of ads, or ads that are read already.
    settings : StackSettings
    out : path
        Folder that holds ``oof/`` and ``submissions/``.
    n_jobs : int or None
        Cross-fits at a time; None takes one per core.
    holdout : float, path or None
        What a run with the same value has held out.
    like : path or None
        A sample submission, whose header, rows, order and form the leaderboard file takes.
    only, without : sequence of str
        Names or patterns, like ``tfidf_*``: stack only these level-1 models, and without those.
    on : str
        Where tasks run: "local", "ray", "slurm" or "slurm:local"
        (`competition.execution.engines`). Results do not depend on it.
    progress : Progress or None
        Receives remarks, such as which models do not fit, and how far it has come.

    Raises
    ------
    StoreError
        If no stored model fits the ads, labels and folds, a file of one is damaged, or `only` or
        `without` names what is not stored or leaves nothing.
    ModelError
        If every meta-learner fails.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from competition import load_profile, load_stack_settings, make_demo, run, stack
    >>> quick = ['models=["tfidf_logreg", "tfidf_nblogreg"]', "folds.n=3", "level2.model=mean"]
    >>> with TemporaryDirectory() as folder:
    ...     make_demo(f"{folder}/ads", 40, films=False)
    ...     first = run(f"{folder}/ads", load_profile("text", quick), folder, n_jobs=1)
    ...     settings = load_stack_settings(['level2.model=["mean", "single"]'])
    ...     second = stack(f"{folder}/ads", settings, folder, n_jobs=1)
    >>> [card.model for card in second.cards]
    ['tfidf_logreg', 'tfidf_nblogreg']
    >>> second.card.candidates["mean"] == first.stack.scores.gap
    True
    """
    with Recorder("stack", progress or Progress()) as recorder, ExitStack() as engine:
        recorder.begin("reading")
        context = open_context(data, settings, out, n_jobs=n_jobs, progress=recorder)
        engine.enter_context(running_on(on, context.out, None, n_jobs, recorder))
        sample = open_sample(like, context)
        context, held_out = set_aside(context, holdout)
        dataset, remark = context.dataset, context.progress.remark
        check_level2(settings, dataset)
        n_learners = len(plan_meta_learners(settings))
        store = open_store(context)
        cards = chosen_of(stored_models(store, context), only, without, store)
        remark(
            f"{described(dataset, store, held_out)}, {len(cards)} level-1 models, {n_learners} "
            f"meta-learner{'' if n_learners == 1 else 's'}"
        )
        recorder.begin("level 2")
        with fitted_stack(cards, store, context) as card:
            recorder.begin("submission")
            submitted = submit(context, store, card, held_out, sample)
            scores = score_holdout(dataset, store, card, held_out)
            recorder.write(
                context, store, cards, card, submitted, scores, 0, n_test_ads(store, held_out)
            )
    return StackResult(dataset, cards, card, submitted, scores)


def stored_models(store: OofStore, context: AnyContext) -> list[ModelCard]:
    """Cards of the finished level-1 models that fit the dataset, sorted by name.

    Raises
    ------
    StoreError
        If there is none, or a card is damaged.
    """
    dataset, remark = context.dataset, context.progress.remark
    shared = shared_components(dataset, store.folds)
    cards: list[ModelCard] = []
    for name in sorted(path.name for path in store.folder.iterdir() if path.is_dir()):
        try:
            card = store.card(name)
        except OutdatedCardError:
            remark(f"{name}: its card is of another version, so it is left out: run it again")
            continue
        if not isinstance(card, Level1Card | ExternalCard) or card.kind == "rival":
            continue
        unfit = [UNFIT[part] for part in UNFIT if card.made_from.get(part) != shared[part]]
        if unfit and isinstance(card, ExternalCard):
            fitting = still_fits(store, card, unfit, dataset, context.progress)
            cards += [] if fitting is None else [fitting]
        elif unfit:
            remark(f"{name}: made from {', '.join(unfit)}, so it is left out")
        else:
            cards.append(card)
    if not cards:
        raise StoreError(
            f"{store.folder} holds no finished level-1 model that fits {dataset.name}. Train some "
            "by `python -m competition run`, or bring predictions made elsewhere by "
            "`python -m competition add-oof`."
        )
    return cards


@contextmanager
def fitted_stack(
    cards: Sequence[ModelCard], store: OofStore, context: AnyContext
) -> Iterator[StackCard]:
    """Stack level-1 models by nested selection, unless the stack is stored; yield its card.

    A stack by one meta-learner has its name; one that chooses among several is "selection". A stack
    that was fitted stays locked during the block. The cross-fits of one that was stopped are used.

    Parameters
    ----------
    cards : sequence of Level1Card or ExternalCard
        Of the level-1 models.
    store : OofStore
    context : Context
        Its profile names the meta-learners, the metadata that they see and the seed of the
        bootstrap; its `n_jobs` cross-fits run at a time.

    Raises
    ------
    ModelError
        If there is no such meta-learner, or all fail or lack a library.
    StoreError
        If another run has made a level-1 model anew since its card was read.
    """
    dataset, progress = context.dataset, context.progress
    plan = _plan_of(cards, context, progress)
    fingerprint = plan.fingerprint(plan.params, store, dataset)
    card = store.current_card(plan.name, fingerprint)
    if isinstance(card, StackCard):
        yield card
        return
    with store.locked([plan.name], progress):
        card = store.current_card(plan.name, fingerprint)  # another run may have made it meanwhile
        yield card if isinstance(card, StackCard) else _fit(plan, fingerprint, store, context)


def stored_stack(
    cards: Sequence[ModelCard], store: OofStore, context: AnyContext
) -> StackCard | None:
    """Return the card of the stack that `fitted_stack` would read; None where it would fit one."""
    plan = _plan_of(cards, context, Progress())
    card = store.current_card(plan.name, plan.fingerprint(plan.params, store, context.dataset))
    return card if isinstance(card, StackCard) else None


def _plan_of(cards: Sequence[ModelCard], context: AnyContext, progress: Progress) -> "_Plan":
    params = _installed(plan_meta_learners(context.profile), progress)
    metadata = plan_metadata(context.profile, context.dataset)
    # Whoever asks, the same stack: its models are sorted.
    ordered = sorted(cards, key=lambda card: card.model)
    return _Plan(ordered, params, metadata, context.profile.metric)


@dataclass(frozen=True, eq=False)
class _Plan:
    """What a stack is to be made from."""

    cards: list[ModelCard]
    params: dict[str, dict[str, Any]]  # of each meta-learner
    metadata: list[str]
    metric: str

    @property
    def called(self) -> str:
        return SELECTION if len(self.params) > 1 else next(iter(self.params))

    @property
    def name(self) -> str:
        return STACK + self.called

    def fingerprint(
        self, learners: Iterable[str], store: OofStore, dataset: AdDataset
    ) -> Fingerprint:
        """Fingerprint of the stack by some of the meta-learners."""
        level1 = {card.model: card.fingerprint for card in self.cards}
        sources = {
            name: (get_meta_learner(name).make.__module__, self.params[name]) for name in learners
        }
        return stack_fingerprint(level1, sources, self.metadata, dataset, store.folds, self.metric)


def _fit(plan: _Plan, fingerprint: Fingerprint, store: OofStore, context: AnyContext) -> StackCard:
    dataset, progress, name = context.dataset, context.progress, plan.name
    store.withdraw(name, fingerprint, progress)
    candidates = {one: get_meta_learner(one).make(**given) for one, given in plan.params.items()}
    data, test = stack_input(store, plan.cards, dataset, plan.metadata, plan.metric)
    best = best_model(plan.cards, data)  # it may be a copy, on a better scale, that is left out
    models = data.ads.probabilities
    data, test, left_out = told_apart(data, test, plan.cards, store)
    cards = [card for card in plan.cards if card.model not in left_out]
    made_from = {one: plan.fingerprint([one], store, dataset).made_from for one in plan.params}
    kept = KeptCrossFits(
        store.path(name, CROSS_FITS), {one: digest(parts) for one, parts in made_from.items()}
    )
    start = time.perf_counter()
    selection = nested_selection(
        candidates, data, test, n_jobs=context.n_jobs, progress=progress, kept=kept
    )
    write_stack(name, selection.output, data, store, fingerprint.value, time.perf_counter() - start)
    details = StackDetails(
        level2=plan.called,
        models=data.models,
        metadata=tuple(plan.metadata),
        parameters=plan.params,
        candidates=selection.gaps,
        candidates_without_fold=_by_fold(selection.inner_scores),
        standard_errors=_by_fold(selection.inner_errors),
        failed=selection.failed,
        chosen=tuple(selection.chosen),
        weights=_by_fold(selection.weights),
        dropped=selection.dropped,
        outrun=selection.outrun,
        corrections=_by_fold(selection.corrections) or None,
        metric=plan.metric,
        best_model=best,
        gain=gain_of(selection.output.oof, models, data, context.profile.seed),
        standing_out=dict(data.leaked),
        large_offsets=large_offsets(cards),
        left_out=left_out,
    )
    write_blends(store, name, fingerprint.value, selection.blends)
    card = store.finish(name, fingerprint, dataset, details)
    shutil.rmtree(kept.folder, ignore_errors=True)
    return card


def _installed(params: dict[str, dict[str, Any]], progress: Progress) -> dict[str, dict[str, Any]]:
    """Return the meta-learners whose libraries are there, and remark on the others."""
    lacks = {name: get_meta_learner(name).lacks for name in params}
    if all(lacks.values()):
        raise ModelError(f"No meta-learner can run here: {next(iter(lacks.values()))}")
    for name, why in lacks.items():
        if why:
            progress.remark(f"The meta-learner {name} is left out: {why}")
    return {name: given for name, given in params.items() if not lacks[name]}


def _by_fold(numbers: dict[str, list[float]]) -> dict[str, tuple[float, ...]]:
    return {name: tuple(of_name) for name, of_name in numbers.items() if of_name}
