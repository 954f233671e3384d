"""The stack of whatever level-1 models are stored, by the meta-learner that proves best."""

import time
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
from competition.level2.selection import nested_selection
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
from competition.pipeline.stack_input import STACK, stack_input, write_stack
from competition.pipeline.submit import Submitted, submit
from competition.utils.errors import ModelError, ProfileError, StoreError, nearest
from competition.utils.progress import Progress

SELECTION = "selection"  # names the stack of several meta-learners
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
        Hears how far it has come, and which models do not fit.

    Raises
    ------
    StoreError
        If no stored model fits the ads, labels and folds, or a file of one is damaged.
    ModelError
        If every meta-learner fails.
    """
    progress = progress or Progress()
    dataset = load_dataset(data)
    held_out = None
    if holdout is not None:
        dataset, held_out = hold_out(dataset, holdout, settings.folds.seed)
    metadata = plan_metadata(settings, dataset)
    params = _candidates(settings)
    folder = out / "oof" / dataset.name
    folds = load_or_make_folds(folder / "folds.csv", dataset, settings.folds.n, settings.folds.seed)
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
    """Stack level-1 models by nested selection, unless the stack is stored; return its card.

    Parameters
    ----------
    params : dict of str to dict
        All parameters of each meta-learner to choose from. Of a single one, the stack bears the
        name; of several, "selection".
    metadata : list of str
        Metadata columns that they see.
    cards : sequence of Level1Card or ExternalCard
        Of the level-1 models.
    dataset : AdDataset
    store : OofStore
    seed : int
        Of the bootstrap.
    n_jobs : int
        Cross-fits at a time; it changes nothing but the time taken.
    progress : Progress

    Raises
    ------
    ModelError
        If there is no such meta-learner, or all fail or lack a library.
    """
    params = _installed(params, progress)
    entries = {name: get_meta_learner(name) for name in params}
    cards = sorted(cards, key=lambda card: card.model)  # whoever asks, the same stack
    level1 = {card.model: card.fingerprint for card in cards}
    called = SELECTION if len(params) > 1 else next(iter(params))
    sources = {name: (entries[name].make.__module__, params[name]) for name in params}
    fingerprint = stack_fingerprint(level1, sources, metadata, dataset, store.folds)
    name = STACK + called
    card = store.current_card(name, fingerprint)
    if isinstance(card, StackCard):
        return card
    store.withdraw_stale_card(name, fingerprint, progress)
    candidates = {name: entry.make(**params[name]) for name, entry in entries.items()}
    data, test = stack_input(store, list(level1), dataset, metadata)
    start = time.perf_counter()
    selection = nested_selection(candidates, data, test, n_jobs=n_jobs, progress=progress)
    write_stack(name, selection.output, data, store, fingerprint.value, time.perf_counter() - start)
    best = best_model(cards)
    details = StackDetails(
        level2=called,
        models=tuple(level1),
        metadata=tuple(metadata),
        parameters=params,
        candidates=selection.gaps,
        candidates_without_fold=_by_fold(selection.inner_gaps),
        standard_errors=_by_fold(selection.inner_errors),
        failed=selection.failed,
        chosen=tuple(selection.chosen),
        corrections=_by_fold(selection.corrections) or None,
        best_model=best,
        gain=gain_over(best, data, selection.output.oof, seed),
        standing_out=standing_out(data),
        large_offsets=large_offsets(cards),
    )
    return store.finish(name, fingerprint, dataset, details)


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
