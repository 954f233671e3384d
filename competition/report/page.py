"""The HTML page of a dataset's results: one file that needs no network.

``oof/<dataset>/report/index.html``, with ``pictures/`` beside it where it shows more than 500 ads.
It is written again only where something that is on it has changed; ``page.json`` says what it was
made from.
"""

import json
import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from competition import __version__
from competition.config.profile import Profile, StackSettings
from competition.datasets.base import AdDataset
from competition.oof.cards import StackCard
from competition.pipeline.context import AnyContext, open_context
from competition.pipeline.extract import extract_features
from competition.pipeline.record import RECORD, RunRecord, read_record
from competition.report import words
from competition.report.ad import make_viewer
from competition.report.comparison import compare
from competition.report.doubts import doubtful_labels
from competition.report.gallery import ORDERS, GalleryAd, chosen_ads, gallery
from competition.report.leaderboard import Entry, leaderboard, likeness
from competition.report.notes import Notes, read_notes, write_notes
from competition.report.previews import Preview, previews, smaller
from competition.report.rendering import render, sources_digest
from competition.report.score_bins import ScoreBins
from competition.report.shown import finished_stack, shown
from competition.report.stored_tables import ablation_tables, benchmark_tables
from competition.report.submissions import submissions_of
from competition.report.tag_table import TagRow, tag_rows
from competition.report.trust import trust
from competition.utils.errors import CompetitionError, StoreError
from competition.utils.files import (
    PathLike,
    digest,
    folder_written_whole,
    remove,
    write_json,
    write_text,
)
from competition.utils.progress import Progress

TAGS = 3_000  # rows of the table of tags
TEXTS = 2_000_000  # bytes of the ads' texts
LENGTHS = (3_000, 1_500, 700, 300, 100)  # characters of a text that are shown
MOST_INSIDE = 500  # ads whose pictures are in the page itself
BARS = 20  # tags that gain most, and as many that gain least
PICTURES = 7_000_000  # bytes of pictures in the page, before their encoding adds a third


@dataclass(frozen=True)
class Page:
    """A page that is written.

    Attributes
    ----------
    path : Path
    is_new : bool
        False where nothing on it has changed.
    """

    path: Path
    is_new: bool


def write_page(
    data: PathLike | AdDataset,
    out: PathLike = ".",
    *,
    settings: Profile | None = None,
    notes: Notes | None = None,
    n_ads: int = MOST_INSIDE,
    against: PathLike | None = None,
    always: bool = False,
    n_jobs: int | None = None,
    progress: Progress | None = None,
) -> Page:
    """Write the page of what is stored for a folder of ads.

    Parameters
    ----------
    data : path or AdDataset
        Folder of ads, or the ads with their features.
    out : path
        Folder that holds ``oof/`` and ``cache/``.
    settings : Profile or None
        Of a run; None takes those of the last one.
    notes : Notes or None
        Of a run that has just ended; None takes those of the last one.
    n_ads : int
        Ads to show at most.
    against : path or None
        Folder of another run of the same ads, to compare with.
    always : bool
        Whether to write a page that is up to date.
    n_jobs : int or None
    progress : Progress or None

    Raises
    ------
    StoreError
        If a stored file is damaged, or `against` holds no stack of these ads.
    """
    listener = progress or Progress()
    context = open_context(data, StackSettings(), out, n_jobs=n_jobs, progress=listener)
    folder = context.store_folder / "report"
    if notes is None:
        notes = read_notes(folder / "notes.json")
    else:
        write_notes(folder / "notes.json", notes)
    record = _record(context)
    stack = finished_stack(context, record.stack if record else None)
    page = Page(folder / "index.html", is_new=True)
    made_from = digest(_made_from(context, stack, notes, record))
    if not always and _is_current(folder, made_from):
        return replace(page, is_new=False)
    profile = settings or _profile(notes, listener)
    # Its remarks were heard when the models were made.
    quiet = open_context(context.dataset, profile, out, n_jobs=n_jobs)
    if settings is None:
        quiet = _with_features(quiet, listener)
    values = _contents(quiet, stack, n_ads, listener)
    other = None if against is None else _other(quiet, Path(against))
    if other is not None and "it" not in values:
        raise StoreError(f"{context.store_folder} holds no finished stack: run one first.")
    pictures = values.pop("pictures", {})
    html = render(
        dataset=quiet.dataset,
        stack=stack,
        record=record if stack and record and record.stack == stack.model else None,
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        version=__version__,
        inputs=_inputs(quiet.dataset, notes),
        profile_name=notes.profile_name,
        ablation=ablation_tables(context.ablation_folder),
        benchmark=benchmark_tables(context.benchmark_folder),
        comparison=None if other is None else compare(values["it"], quiet, other),
        submissions=submissions_of(context.dataset.name, context.submissions),
        **values,
    )
    _write_pictures(folder / "pictures", pictures)
    write_text(page.path, html)
    write_json(folder / "page.json", {"made_from": made_from})
    return page


def _record(context: AnyContext) -> RunRecord | None:
    """Read the record of the last run; None where there is none of this version."""
    try:
        return read_record(context.store_folder / RECORD)
    except StoreError:
        return None


def _made_from(
    context: AnyContext, stack: StackCard | None, notes: Notes, record: RunRecord | None
) -> list[Any]:
    """Name all that is on the page, so that a change of it shows."""
    files = [
        *context.ablation_folder.glob("ablation.csv"),
        *context.benchmark_folder.glob("*.csv"),
        context.submissions / "ledger.csv",
    ]
    others = sorted(context.store_folder.glob("stack-*/card.json"))
    return [
        sources_digest(),
        notes.model_dump(mode="json"),
        # Of the record, what does not change where a run changes nothing.
        record.model_dump(mode="json", include={"submission", "holdout_scores"}) if record else {},
        [stack.model, stack.written, stack.fingerprint] if stack else [],
        [digest(path.read_bytes()) for path in [*sorted(files), *others] if path.is_file()],
    ]


def _is_current(folder: Path, made_from: str) -> bool:
    try:
        stored = json.loads((folder / "page.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return (folder / "index.html").is_file() and stored == {"made_from": made_from}


def _other(context: AnyContext, out: Path) -> AnyContext:
    """Return the context of another run of the same ads."""
    if not out.is_dir():
        raise StoreError(f"There is no folder {out}: name the --out of another run.")
    return open_context(context.dataset, context.profile, out)


def _profile(notes: Notes, progress: Progress) -> Profile | StackSettings:
    try:
        return Profile.model_validate(notes.profile) if notes.profile else StackSettings()
    except ValueError:
        progress.remark("The settings of the last run are of another version, and are not used.")
        return StackSettings()


def _with_features(context: AnyContext, progress: Progress) -> AnyContext:
    """Add the features of the last run's profile; without them where they cannot be had."""
    features = context.profile.features if isinstance(context.profile, Profile) else {}
    if all(name in context.dataset.inputs for name in features):
        return context
    try:
        return extract_features(context)[0]  # type: ignore[arg-type]
    except CompetitionError as bad:
        progress.remark(f"The page shows no features: {bad}")
        return context


def _contents(
    context: AnyContext, stack: StackCard | None, n_ads: int, progress: Progress
) -> dict[str, Any]:
    """Compute what the templates show."""
    if stack is None:
        return {}
    it = shown(context, stack)
    bins = ScoreBins.of(it.labels, it.oof, it.data.fold)
    doubts = doubtful_labels(it)
    choices = chosen_ads(it, n_ads, [doubt.ad for doubt in doubts.listed])
    ads = [choice.ad for choice in choices]
    found = previews(it.dataset, ads, context.cache, context.n_jobs, progress)
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
    entries, tags = leaderboard(it), tag_rows(it, bins)
    articles = gallery(it, viewer, choices, found)
    return {
        "it": it,
        "entries": entries,
        "scale": _scale(entries),
        "likeness": likeness(it.data),
        "tags": sorted(tags, key=lambda tag: -tag.n_ads)[:TAGS],
        "n_tags": len(tags),
        **_gains(tags),
        "trust": trust(it, bins),
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
            *words.doubts_of_gain(stack),
        ],
        "total_seconds": sum(card.seconds for card in (*it.cards, stack)),
        "modalities": viewer.modalities,
        "inside": inside,
        "pictures": pictures,
    }


def _inputs(dataset: AdDataset, notes: Notes) -> list[dict[str, Any]]:
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


def _write_pictures(folder: Path, pictures: dict[str, bytes]) -> None:
    if not pictures:
        remove(folder)
        return
    with folder_written_whole(folder) as new:
        for name, content in pictures.items():
            (new / name).write_bytes(content)
