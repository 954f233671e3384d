"""The stack of whatever level-1 models are stored, by the meta-learner that proves best."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from competition.config.profile import StackSettings
from competition.datasets import load_dataset
from competition.datasets.base import AdDataset
from competition.evaluation.metrics import Scores
from competition.folds import load_or_make_folds
from competition.level2.registry import find_meta_learners, get_meta_learner, meta_parameters
from competition.level2.selection import Gate
from competition.oof.cards import (
    ExternalCard,
    Level1Card,
    ModelCard,
    OutdatedCardError,
    StackCard,
    StackDetails,
)
from competition.oof.store import OofStore
from competition.pipeline.fingerprints import shared_components, stack_fingerprint
from competition.pipeline.holdout import hold_out, score_holdout
from competition.pipeline.plan import plan_metadata
from competition.pipeline.stack_checks import best_model, gain_over, large_offsets, standing_out
from competition.pipeline.stack_input import STACK, run_stack, stack_input
from competition.pipeline.submit import Submitted, submit
from competition.utils.errors import ProfileError, StoreError, nearest
from competition.utils.progress import Progress

GATE = "gate"
UNFIT = {"ads": "other ads", "labels": "other labels", "folds": "other folds"}


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
    data: Path,
    settings: StackSettings,
    out: Path,
    *,
    n_jobs: int = -1,
    holdout: float | None = None,
    progress: Progress | None = None,
) -> StackResult:
    """Stack the level-1 models that are stored for a folder of ads.

    Parameters
    ----------
    data : Path
        Folder of ads.
    settings : StackSettings
    out : Path
        Folder that holds ``oof/`` and ``submissions/``.
    n_jobs : int
        Cross-fits at a time; -1 takes one per core.
    holdout : float or None
        Share of the training ads that a run with the same share has kept from everything.
    progress : Progress or None
        Is told how far it has come, and which models do not fit.

    Raises
    ------
    StoreError
        If no stored model fits the ads, labels and folds, or a file of one is damaged.
    ModelError
        If every meta-learner fails.
    """
    progress = progress or Progress()
    dataset = load_dataset(data, progress)
    held_out = None
    if holdout is not None:
        dataset, held_out = hold_out(dataset, holdout, settings.folds.seed)
    metadata = plan_metadata(settings, dataset)
    params = _candidates(settings)
    folder = out / "oof" / dataset.name
    folds = load_or_make_folds(
        folder / "folds.csv",
        dataset,
        settings.folds.n,
        settings.folds.seed,
        progress=progress,
    )
    store = OofStore(folder, tuple(dataset.tag_names), folds, dataset.test_ids)
    cards = stored_models(store, dataset, progress)
    progress.remark(
        f"{dataset.name}: {len(folds.ids):,} training ads and {len(store.test_ids):,} test ads, "
        f"{len(store.tags)} tags, {folds.n} folds, {len(cards)} level-1 models, "
        f"{len(params)} meta-learner{'' if len(params) == 1 else 's'}"
    )
    card = fit_stack(
        params,
        metadata,
        cards,
        dataset,
        store,
        seed=settings.seed,
        n_jobs=n_jobs,
        progress=progress,
    )
    submitted = submit(dataset, store, card, out / "submissions", held_out)
    kept = None if held_out is None else score_holdout(dataset, store, card.model, held_out)
    return StackResult(dataset, cards, card, submitted, kept)


def stored_models(store: OofStore, dataset: AdDataset, progress: Progress) -> list[ModelCard]:
    """Cards of the finished level-1 models that fit the dataset, sorted by name.

    Raises
    ------
    StoreError
        If there is none, or a card is damaged.
    """
    shared = shared_components(dataset, store.folds)
    cards: list[ModelCard] = []
    for name in sorted(path.name for path in store.folder.iterdir() if path.is_dir()):
        try:
            card = store.card(name)
        except OutdatedCardError:
            progress.remark(f"{name}: made by an earlier version, so it is left out; run it again")
            continue
        if not isinstance(card, Level1Card | ExternalCard) or card.kind == "rival":
            continue
        unfit = [UNFIT[part] for part in UNFIT if card.made_from.get(part) != shared[part]]
        if unfit:
            progress.remark(f"{name}: made from {', '.join(unfit)}, so it is left out")
        else:
            cards.append(card)
    if not cards:
        raise StoreError(
            f"{store.folder} holds no finished level-1 model that fits {dataset.name}. Train some "
            "by `python -m competition run`, or bring predictions made elsewhere by "
            "`python -m competition add-oof`."
        )
    return cards


def _candidates(settings: StackSettings) -> dict[str, dict[str, Any]]:
    """Parameters of every meta-learner to try: the user's, and the seed where it takes one."""
    known, chosen = find_meta_learners(), settings.level2.model
    names = known if chosen is None else [chosen] if isinstance(chosen, str) else list(chosen)
    given = settings.level2.params
    for name in [*names, *given]:
        if name not in known:
            hint = nearest(name, [*known, "metadata", "model"])
            raise ProfileError(f"level2: there is no meta-learner {name!r}.{hint}")
    for name in given:
        if name not in names:
            raise ProfileError(
                f"level2.{name}: {name} is not among the meta-learners of level2.model "
                f"({', '.join(names)}). Add it there, or leave its parameters out."
            )
    return {name: meta_parameters(name, given.get(name, {}), settings.seed) for name in names}


def fit_stack(
    params: dict[str, dict[str, Any]],
    metadata: list[str],
    cards: Sequence[ModelCard],
    dataset: AdDataset,
    store: OofStore,
    *,
    seed: int,
    n_jobs: int,
    progress: Progress,
) -> StackCard:
    """Cross-fit a meta-learner, or the gate over several, unless it is stored; return its card.

    Parameters
    ----------
    params : dict of str to dict
        All parameters of each meta-learner.
    metadata : list of str
        Metadata columns that they see.
    cards : sequence of Level1Card or ExternalCard
        Of the level-1 models.
    dataset : AdDataset
    store : OofStore
    seed : int
        Of the bootstrap.
    n_jobs : int
        Cross-fits of the gate at a time; it changes nothing but the time taken.
    progress : Progress

    Raises
    ------
    ModelError
        If there is no such meta-learner, or all fail.
    """
    entries = {name: get_meta_learner(name) for name in params}
    cards = sorted(cards, key=lambda card: card.model)  # whoever asks, the same stack
    level1 = {card.model: card.fingerprint for card in cards}
    gated = len(params) > 1
    called = GATE if gated else next(iter(params))
    sources = {name: (entries[name].make.__module__, params[name]) for name in params}
    fingerprint = stack_fingerprint(level1, sources, metadata, dataset, store.folds)
    name = STACK + called
    card = store.current_card(name, fingerprint)
    if isinstance(card, StackCard):
        return card
    store.withdraw_stale_card(name, fingerprint, progress)
    top_k = dataset.submission.top_k
    candidates = {name: entry.make(**params[name]) for name, entry in entries.items()}
    learner = Gate(candidates, top_k, progress, n_jobs) if gated else candidates[called]
    progress.update("level 2", 0, 1, called)
    data = stack_input(store, list(level1), dataset, metadata)
    output = run_stack(name, learner, data, store, fingerprint.value)
    if not gated:
        progress.update("level 2", 1, 1, called)
    best = best_model(cards)
    details = StackDetails(
        level2=called,
        models=tuple(level1),
        metadata=tuple(metadata),
        parameters=params if gated else params[called],
        **(_choice(learner) if isinstance(learner, Gate) else {}),
        best_model=best,
        gain=gain_over(best, data, output.oof, top_k, seed),
        standing_out=standing_out(data, top_k),
        large_offsets=large_offsets(cards),
    )
    return store.finish(name, fingerprint, dataset, details)


def _choice(gate: Gate) -> dict[str, Any]:
    return {
        "candidates": gate.gaps_,
        "candidates_without_fold": gate.inner_gaps_,
        "standard_errors": gate.inner_errors_,
        "failed": gate.failed_,
        "chosen": gate.chosen_,
    }
