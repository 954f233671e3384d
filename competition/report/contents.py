"""What the templates of the page show, computed from a finished stack."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from competition.datasets.base import AdDataset
from competition.oof.cards import StackCard
from competition.pipeline.context import AnyContext
from competition.report import words
from competition.report.ad import make_viewer
from competition.report.doubts import Doubts, doubtful_labels
from competition.report.gallery import ORDERS, GalleryAd, chosen_ads, gallery
from competition.report.leaderboard import Entry, Likeness, leaderboard, likeness
from competition.report.notes import Notes
from competition.report.preview_drawing import Preview, smaller
from competition.report.previews import previews
from competition.report.score_bins import ScoreBins
from competition.report.shown import Shown, shown
from competition.report.tag_table import TagRow, tag_rows
from competition.report.trust import Trust, trust
from competition.utils.progress import Progress

TAGS = 3_000  # rows of the table of tags
BARS = 20  # tags that gain most, and as many that gain least
TEXTS = 2_000_000  # bytes of the ads' texts
LENGTHS = (3_000, 1_500, 700, 300, 100)  # characters of a text that are shown
MOST_INSIDE = 500  # ads whose pictures are in the page itself
PICTURES = 7_000_000  # bytes of pictures in the page, before their encoding adds a third


@dataclass(frozen=True, eq=False)
class _Measured:
    """What the page says of all measured ads, whichever of them it shows."""

    entries: list[Entry]
    likeness: Likeness | None
    tags: list[TagRow]
    trust: Trust


@contextmanager
def contents(
    context: AnyContext, stack: StackCard | None, progress: Progress
) -> Iterator[Callable[[int], dict[str, Any]]]:
    """Compute what the templates show of a stack, for pages of more or fewer ads.

    Parameters
    ----------
    context : Context
    stack : StackCard or None
    progress : Progress

    Yields
    ------
    callable
        Of the number of ads to show at most: values of the templates, and ``pictures``, bytes of
        files to lie beside the page, by name. Nothing where there is no stack.
    """
    if stack is None:
        yield lambda _: {}
        return
    it = shown(context, stack)
    doubts = doubtful_labels(it)
    with ThreadPoolExecutor(1) as aside:  # while other processes draw the pictures
        measured = aside.submit(_measured, it)
        yield lambda n_ads: _contents(context, it, doubts, measured.result, n_ads, progress)


def _measured(it: Shown) -> _Measured:
    bins = ScoreBins.of(it.labels, it.oof, it.data.fold)
    return _Measured(leaderboard(it), likeness(it.data), tag_rows(it, bins), trust(it, bins))


def _contents(
    context: AnyContext,
    it: Shown,
    doubts: Doubts,
    measured: Callable[[], _Measured],
    n_ads: int,
    progress: Progress,
) -> dict[str, Any]:
    stack = it.stack
    choices = chosen_ads(it, n_ads, [doubt.ad for doubt in doubts.listed])
    ads = [choice.ad for choice in choices]
    found = previews(it.dataset, ads, context.cache, context.n_jobs, progress)
    of_all = measured()
    inside = len(choices) <= MOST_INSIDE
    pictures: dict[str, bytes] = {}
    if inside:
        found = _within(found)
    else:
        for number, ad in enumerate(ads):
            for kind, content in (("", found[ad].picture), ("-sound", found[ad].sound)):
                if content:
                    pictures[f"{number}{kind}.webp"] = content
    viewer = make_viewer(it.dataset, it.store, stack, it.cards, it.features)
    articles = gallery(it, viewer, choices, found)
    return {
        "it": it,
        "entries": of_all.entries,
        "best_gap": next(one.scores.gap for one in it.cards if one.model == stack.best_model),
        "scale": _scale(of_all.entries),
        "likeness": of_all.likeness,
        "tags": sorted(of_all.tags, key=lambda tag: -tag.n_ads)[:TAGS],
        "n_tags": len(of_all.tags),
        **_gains(of_all.tags),
        "trust": of_all.trust,
        "ads": articles,
        "orders": {key: name for key, name in ORDERS.items() if key in choices[0].ranks},
        "text_length": _text_length(articles),
        "numbers": {ad: number for number, ad in enumerate(ads)},
        "doubts": doubts,
        "shown_tags": _shown_tags(it.dataset, articles),
        "lacking": sorted({name for ad in articles for name in ad.lacks}),
        "warnings": [
            *words.failures(stack),
            *words.suspicions(stack),
            *(f"{words.gain(stack)} {doubt}" for doubt in words.doubts_of_gain(stack)),
        ],
        "total_seconds": sum(card.seconds for card in (*it.cards, stack)),
        "inside": inside,
        "pictures": pictures,
    }


def inputs_of(dataset: AdDataset, notes: Notes) -> list[dict[str, Any]]:
    """Say of each input where it comes from, and how many ads have it."""
    features = {feature.name: feature for feature in notes.features}
    return [
        {
            "name": given.name,
            "kind": given.kind,
            "extractor": features[given.name].extractor if given.name in features else "",
            "n_ads": int((~dataset.lacks(given.name)).sum()),
            "n_faults": features[given.name].n_faults if given.name in features else 0,
        }
        for given in dataset.inputs.values()
    ]


def _scale(entries: list[Entry]) -> tuple[float, float]:
    """Ends of the scale that all intervals of the leaderboard are drawn on."""
    known = [end for entry in entries for end in (entry.low, entry.high) if end is not None]
    return min(known), max(known)


def _gains(tags: list[TagRow]) -> dict[str, Any]:
    """Bars of the tags that gain and lose most, in the order of their gain."""
    known = sorted((tag for tag in tags if tag.gain == tag.gain), key=lambda tag: -tag.gain)
    shown_tags = known
    if len(known) > 2 * BARS:
        shown_tags = known[:BARS] + known[-BARS:]
    rows = [(tag.name, tag.gain, tag.n_ads) for tag in shown_tags]
    return {"gain_rows": rows, "gains_left_out": len(rows) < len(known)}


def _text_length(ads: list[GalleryAd]) -> int:
    """Characters of each text that are shown, so that all texts together are not too much."""
    texts = [text for ad in ads for text in ad.view.texts.values()]
    fitting = (
        most for most in LENGTHS if sum(len(text[:most].encode()) for text in texts) <= TEXTS
    )
    return next(fitting, LENGTHS[-1])


def _shown_tags(dataset: AdDataset, ads: list[GalleryAd]) -> list[tuple[int, str]]:
    places = {place for ad in ads for place in ad.tags}
    return sorted(((p, dataset.tag_names[p]) for p in places), key=lambda pair: pair[1])


def _within(found: dict[str, Preview]) -> dict[str, Preview]:
    """Scale the pictures down until all of them, and the sounds, fit into the page."""
    room = PICTURES - sum(len(one.sound) for one in found.values())
    total = sum(len(one.picture) for one in found.values())
    while total > room:
        scale = 0.95 * math.sqrt(room / total)
        found = {
            ad: replace(one, picture=smaller(one.picture, scale)) if one.picture else one
            for ad, one in found.items()
        }
        total = sum(len(one.picture) for one in found.values())
    return found
