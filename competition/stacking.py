"""The stack of whatever level-1 models are stored, by the meta-learner that proves best."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from competition.bootstrap import gap_difference
from competition.config import StackSettings, plan_facts
from competition.datasets import load_dataset
from competition.datasets.base import AdDataset
from competition.errors import ProfileError, StoreError
from competition.fingerprints import gate_fingerprint, shared_parts
from competition.folds import settle_folds
from competition.leaks import fold_standing_out
from competition.level2.base import StackInput
from competition.level2.gate import Gate
from competition.level2.registry import find_meta_learners, get_meta_learner, meta_parameters
from competition.level2.stack import STACK, run_stack, stack_input
from competition.oof import OofStore
from competition.settings import nearest
from competition.submit import Submitted, submit
from competition.watch import Watch

GATE = "gate"
UNFIT = {"ads": "other ads", "labels": "other labels", "folds": "other folds"}


@dataclass(frozen=True, eq=False)
class StackResult:
    """What `stack` leaves behind.

    Attributes
    ----------
    dataset : AdDataset
    cards : list of dict
        Card of every level-1 model that was stacked.
    card : dict
        Card of the gate.
    submitted : Submitted or None
        None where the dataset has no test ads.
    """

    dataset: AdDataset
    cards: list[dict[str, Any]]
    card: dict[str, Any]
    submitted: Submitted | None


def stack(
    data: Path, settings: StackSettings, out: Path, *, watch: Watch | None = None
) -> StackResult:
    """Stack the level-1 models that are stored for a folder of ads.

    Parameters
    ----------
    data : Path
        Folder of ads.
    settings : StackSettings
    out : Path
        Folder that holds ``oof/`` and ``submissions/``.
    watch : Watch or None
        Is told how far it has come, and which models do not fit.

    Raises
    ------
    StoreError
        If no stored model fits the ads, labels and folds, or a file of one is damaged.
    ModelError
        If every meta-learner fails.
    """
    watch = watch or Watch()
    dataset = load_dataset(data)
    facts = plan_facts(settings, dataset)
    params = _candidates(settings)
    folder = out / "oof" / dataset.name
    folds = settle_folds(folder / "folds.csv", dataset, settings.folds.n, settings.folds.seed)
    store = OofStore(folder, tuple(dataset.tag_names), folds, dataset.test_ids)
    cards = stored_models(store, dataset, watch)
    watch.say(
        f"{dataset.name}: {len(folds.ids):,} training ads and {len(store.test_ids):,} test ads, "
        f"{len(store.tags)} tags, {folds.n} folds, {len(cards)} level-1 models, "
        f"{len(params)} meta-learners"
    )
    card = _gate(settings.seed, params, facts, cards, dataset, store, watch)
    return StackResult(dataset, cards, card, submit(dataset, store, card, out / "submissions"))


def stored_models(store: OofStore, dataset: AdDataset, watch: Watch) -> list[dict[str, Any]]:
    """Cards of the finished level-1 models that fit the dataset, sorted by name.

    Raises
    ------
    StoreError
        If there is none, or a card is damaged.
    """
    shared = shared_parts(dataset, store.folds)
    cards = []
    for name in sorted(path.name for path in store.folder.iterdir() if path.is_dir()):
        card = None if name.startswith(STACK) else store.card(name)
        if card is None:
            continue
        unfit = [UNFIT[part] for part in UNFIT if card["made_from"].get(part) != shared[part]]
        if unfit:
            watch.say(f"{name}: made from {', '.join(unfit)}, so it is left out")
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
    """Parameters of every registered meta-learner: the user's, and the seed where it takes one."""
    names = find_meta_learners()
    for name in settings.level2.params:
        if name not in names:
            hint = nearest(name, [*names, "metadata"])
            raise ProfileError(f"level2: there is no meta-learner {name!r}.{hint}")
    given = settings.level2.params
    return {name: meta_parameters(name, given.get(name, {}), settings.seed) for name in names}


def _gate(
    seed: int,
    params: dict[str, dict[str, Any]],
    facts: list[str],
    cards: list[dict[str, Any]],
    dataset: AdDataset,
    store: OofStore,
    watch: Watch,
) -> dict[str, Any]:
    """Cross-fit the gate unless it is stored; return its card."""
    entries = {name: get_meta_learner(name) for name in params}
    level1 = {card["model"]: card["fingerprint"] for card in cards}
    sources = {name: (entries[name].make.__module__, params[name]) for name in params}
    fingerprint = gate_fingerprint(level1, sources, facts, dataset, store.folds)
    name = STACK + GATE
    card = store.current_card(name, fingerprint, watch)
    if card is not None:
        return card
    top_k = dataset.submission.top_k
    candidates = {name: entry.make(**params[name]) for name, entry in entries.items()}
    gate = Gate(candidates, top_k, watch)
    data = stack_input(store, list(level1), dataset, facts)
    output = run_stack(name, gate, data, store, fingerprint.value)
    best = max(cards, key=lambda card: card["scores"]["gap"])["model"]
    rival = data.train[:, data.models.index(best)]
    about = {
        "level2": GATE,
        "models": list(level1),
        "metadata": facts,
        "parameters": params,
        "candidates": gate.gaps_,
        "candidates_without_fold": gate.inner_gaps_,
        "failed": gate.failed_,
        "chosen": gate.chosen_,
        "best_model": best,
        "gain": asdict(gap_difference(dataset.labels, output.oof, rival, top_k, seed)),
        "standing_out": _standing_out(data, top_k),
    }
    return store.finish(name, fingerprint, dataset, about)


def _standing_out(data: StackInput, top_k: int) -> dict[str, dict[str, Any]]:
    """Level-1 models that predict one fold suspiciously well, with that fold."""
    found = {
        model: fold_standing_out(data.labels, data.train[:, m], data.fold, top_k)
        for m, model in enumerate(data.models)
    }
    return {model: asdict(one) for model, one in found.items() if one is not None}
