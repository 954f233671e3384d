"""Two runs of one dataset side by side: settings, scores, and the ads that moved."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from competition.folds_file import read_folds
from competition.oof.cards import Level1Card, StackCard
from competition.oof.store import OofStore
from competition.pipeline.context import AnyContext
from competition.report.notes import read_notes
from competition.report.shown import MADE_OF, Shown, finished_stack
from competition.utils.errors import StoreError

MOVED = 15  # ads each way


@dataclass(frozen=True)
class Moved:
    """An ad: the average precision of its own list of tags in the other run and in this one."""

    ad: str
    before: float
    after: float


@dataclass(frozen=True, eq=False)
class Comparison:
    """What differs from another run.

    Attributes
    ----------
    where : str
        Folder of the other run.
    stacks : tuple of str
        The stack of the other run and of this one whose predictions are compared.
    scores : list of (str, float or None, float or None)
        GAP of each model and stack in the other run and in this one; None where it has none. Stacks
        of models that were made anew since are left out.
    settings : list of (str, str, str)
        What is set, in the other run and in this one; "" where it is not set.
    better, worse : list of Moved
        Ads whose true tags the stack ranks higher than the other run's, and lower.
    same_folds : bool
    """

    where: str
    stacks: tuple[str, str]
    scores: list[tuple[str, float | None, float | None]]
    settings: list[tuple[str, str, str]]
    better: list[Moved]
    worse: list[Moved]
    same_folds: bool


def compare(shown: Shown, context: AnyContext, other: AnyContext) -> Comparison:
    """Compare a run with another one below another folder.

    Parameters
    ----------
    shown : Shown
    context, other : Context
        Of this run and of the other one: the same ads.

    Raises
    ------
    StoreError
        If the other folder holds no stack of these ads, or other tags.
    FoldsError
        If its folds are of other ads.
    """
    notes = [read_notes(one.store_folder / "report" / "notes.json") for one in (other, context)]
    stack = finished_stack(other, shown.stack.model)
    if stack is None:
        raise StoreError(
            f"{other.store_folder} holds no finished stack, so there is nothing to compare with. "
            "Name the folder that was the other run's --out."
        )
    # Read, not opened as for a run: that would write the folds of ads which it lacks.
    folds = read_folds(other.folds_file, other.dataset)
    store = OofStore(other.store_folder, shown.store.tags, folds, other.dataset.test_ids)
    theirs = store.read(stack.model, stack)[0][shown.rows]
    before, after = (_own_precision(shown.labels, oof) for oof in (theirs, shown.oof))
    change = np.nan_to_num(after - before)
    ids = shown.dataset.train_ids[shown.rows]

    def moved(order: np.ndarray) -> list[Moved]:
        return [Moved(str(ids[i]), float(before[i]), float(after[i])) for i in order]

    order = np.argsort(-change, kind="stable")
    cards = [_cards(store, stack), _cards(shown.store, shown.stack)]
    names = sorted(
        {**cards[0], **cards[1]}, key=lambda name: -max(c[name].gap for c in cards if name in c)
    )
    flat = [
        {
            **_flat("", note.profile),
            **{k: v for one in of.values() for k, v in one.settings.items()},
        }
        for note, of in zip(notes, cards, strict=True)
    ]
    differing = [
        key for key in sorted({**flat[0], **flat[1]}) if flat[0].get(key) != flat[1].get(key)
    ]
    return Comparison(
        str(other.out),
        (stack.model, shown.stack.model),
        [(n, *(c[n].gap if n in c else None for c in cards)) for n in names],  # type: ignore[misc]
        [(key, flat[0].get(key, ""), flat[1].get(key, "")) for key in differing],
        moved(order[change[order] > 0][:MOVED]),
        moved(order[::-1][change[order[::-1]] < 0][:MOVED]),
        store.folds.fingerprint == shown.store.folds.fingerprint,
    )


@dataclass(frozen=True)
class _Stored:
    gap: float
    settings: dict[str, str]


def _cards(store: OofStore, stack: StackCard) -> dict[str, _Stored]:
    """GAP and settings of a stack, of its models, and of other stacks of the same models."""
    found = {}
    for path in sorted(store.folder.glob("*/card.json")):
        card = store.card(path.parent.name)
        if card is None:
            continue
        if isinstance(card, StackCard):
            belongs = card.made_from.get(MADE_OF) == stack.made_from.get(MADE_OF)
        else:
            belongs = card.model in stack.models
        if not belongs:
            continue
        settings: dict[str, str] = {}
        if isinstance(card, Level1Card):
            settings = _flat(f"{card.model}", {**card.parameters, "inputs": list(card.inputs)})
        elif isinstance(card, StackCard):
            settings = _flat(card.model, {"models": list(card.models), **card.parameters})
        found[card.model] = _Stored(card.scores.gap, settings)
    return found


def _flat(prefix: str, values: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in values.items():
        name = f"{prefix}.{key}" if prefix else key
        if isinstance(value, Mapping):
            found |= _flat(name, value)
        elif value is not None:  # None is what is not set
            found[name] = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return found


def _own_precision(labels: np.ndarray, oof: np.ndarray) -> np.ndarray:
    """Average precision of each ad's own list of tags, (n_ads,); NaN without a true tag."""
    order = np.argsort(-oof, axis=1, kind="stable")
    hits = np.take_along_axis(labels, order, axis=1)
    precision = hits.cumsum(axis=1) / np.arange(1, labels.shape[1] + 1)
    n_true = labels.sum(axis=1)
    found = (precision * hits).sum(axis=1) / np.maximum(n_true, 1)
    return np.where(n_true > 0, found, np.nan)
