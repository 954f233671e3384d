"""Which ads are on the page, in which orders, and what is shown of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

import numpy as np
import pandas as pd

from competition.pipeline.stack_input import missing_inputs
from competition.report.ad import AdView, AdViewer
from competition.report.preview_drawing import Preview
from competition.report.shown import Shown

ORDERS = {
    "worst": "Worst ranked truth",
    "wrong": "Surest wrong",
    "doubt": "Likely label errors",
    "unsure": "Unsure",
    "random": "Random",
}


@dataclass(frozen=True)
class Choice:
    """An ad that is on the page.

    Attributes
    ----------
    ad : str
    row : int
        Position among the measured ads.
    ranks : dict of str to int
        Its place in each order, among the ads of the page, from 0.
    """

    ad: str
    row: int
    ranks: dict[str, int]


@dataclass(frozen=True, eq=False)
class GalleryAd:
    """An ad with what is shown of it.

    Attributes
    ----------
    choice : Choice
    view : AdView
        Without its pictures.
    preview : Preview
    fold : int
    lacks : tuple of str
        Inputs.
    tags : tuple of int
        Positions of the tags that are true or shown.
    reasons : tuple of (str, str, float)
        What is remarkable: "ranked 31 of 40", a tag, its probability.
    """

    choice: Choice
    view: AdView
    preview: Preview
    fold: int
    lacks: tuple[str, ...]
    tags: tuple[int, ...]
    reasons: tuple[tuple[str, str, float], ...]


def chosen_ads(shown: Shown, n: int, doubts: Sequence[str] = ()) -> list[Choice]:
    """Choose `n` ads: the first of each order in turn.

    Parameters
    ----------
    shown : Shown
    n : int
    doubts : sequence of str
        Ads whose labels are likely wrong, the likeliest first.
    """
    ids = shown.dataset.train_ids[shown.rows]
    labels, oof = shown.labels, shown.oof
    true = np.where(labels, oof, np.inf)
    lowest = true.min(axis=1)
    rank = (oof > np.where(np.isfinite(lowest), lowest, np.inf)[:, None]).sum(axis=1)
    rank = np.where(labels.any(axis=1), rank, -1)
    surest = np.where(labels, -1, oof).max(axis=1)
    unsure = (oof * (1 - oof)).sum(axis=1)
    lot = np.random.default_rng(0).permutation(len(ids))
    # Of equal ads the one with the lower score of its truth comes first, then the dataset's order.
    orders = {
        "worst": np.lexsort((np.arange(len(ids)), lowest, -rank)),
        "wrong": np.argsort(-surest, kind="stable"),
        "unsure": np.argsort(-unsure, kind="stable"),
        "random": lot,
    }
    if len(doubts):
        found = ids.get_indexer(pd.Index(list(dict.fromkeys(doubts))))
        doubted = found[found >= 0]
        rest = np.setdiff1d(np.arange(len(ids)), doubted)
        orders["doubt"] = np.concatenate([doubted, rest])
        first: dict[str, np.ndarray] = {**orders, "doubt": doubted}
    else:
        first = orders
    taken: dict[int, None] = {}
    for row in chain.from_iterable(zip_longest(*(order[:n] for order in first.values()))):
        if row is not None and len(taken) < n:
            taken.setdefault(int(row))
    places = {name: {int(row): p for p, row in enumerate(order)} for name, order in orders.items()}
    ranks = {
        name: {row: rank for rank, row in enumerate(sorted(taken, key=lambda row: of[row]))}
        for name, of in places.items()
    }
    by_worst = sorted(taken, key=lambda row: ranks["worst"][row])
    return [
        Choice(str(ids[row]), row, {name: ranks[name][row] for name in orders}) for row in by_worst
    ]


def gallery(
    shown: Shown, viewer: AdViewer, choices: Sequence[Choice], previews: dict[str, Preview]
) -> list[GalleryAd]:
    """Gather what is shown of the chosen ads."""
    missing = missing_inputs(shown.dataset)
    names = {name: place for place, name in enumerate(shown.dataset.tag_names)}
    found = []
    for choice in choices:
        view = viewer.view(choice.ad, with_pictures=False)
        found.append(
            GalleryAd(
                choice,
                view,
                previews[choice.ad],
                int(shown.data.fold[choice.row]),
                tuple(name for name in missing.columns if missing.at[choice.ad, name]),
                tuple(names[tag.name] for tag in view.tags),
                _reasons(shown, choice.row, view),
            )
        )
    return found


def _reasons(shown: Shown, row: int, view: AdView) -> tuple[tuple[str, str, float], ...]:
    labels, oof, names = shown.labels[row], shown.oof[row], shown.dataset.tag_names
    found = []
    if labels.any():
        last = [tag for tag in view.tags if tag.is_true][-1]
        if last.rank > labels.sum():
            ranked = f"is true, ranked {last.rank:,} of {len(oof):,}"
            found.append((ranked, last.name, last.stack))
    if not labels.all():
        tag = int(np.argmax(np.where(labels, -1, oof)))
        if oof[tag] >= 0.5:
            found.append(("is predicted, not among its tags", names[tag], float(oof[tag])))
    return tuple(found)
