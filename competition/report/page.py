"""The HTML page of a dataset's results: one file that needs no network.

``oof/<dataset>/report/index.html``, with ``pictures/`` beside it where it shows more than 500 ads.
It is written again only where something that is on it has changed; ``page.json`` says what it was
made from.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from competition import __version__
from competition.config.profile import Profile, StackSettings
from competition.datasets.base import AdDataset
from competition.oof.cards import StackCard
from competition.oof.store import LOCKS
from competition.pipeline.context import AnyContext, open_context
from competition.pipeline.extract import extract_features
from competition.pipeline.record import RECORD, RunRecord, read_record
from competition.report.comparison import compare
from competition.report.contents import MOST_INSIDE, contents, inputs_of
from competition.report.notes import Notes, read_notes, write_notes
from competition.report.rendering import render, sources_digest
from competition.report.shown import finished_stack
from competition.report.stored_tables import ablation_tables, benchmark_tables
from competition.report.submissions import submissions_of
from competition.utils.errors import CompetitionError, StoreError
from competition.utils.files import (
    PathLike,
    digest,
    folder_written_whole,
    remove,
    told_as_write_error,
    write_json,
    write_text,
)
from competition.utils.locks import locked
from competition.utils.progress import Progress

LARGEST = 15_000_000  # bytes of a page that holds its pictures; above, fewer ads are shown


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
) -> Path:
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

    Returns
    -------
    Path
        Of index.html.

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
    page = folder / "index.html"
    made_from = digest(_made_from(context, stack, notes, record))
    if not always and _is_current(folder, made_from):
        return page
    _check_writable(page)
    # Nobody listens to these: their remarks were heard when the models were made.
    if settings is None:
        quiet = _as_last_run(context, notes, listener)
    else:
        quiet = open_context(context.dataset, settings, out, n_jobs=n_jobs)
    other = None if against is None else _other(quiet, Path(against))
    if stack is None:
        lacking = f"{context.store_folder} holds no finished stack"
        if other is not None:
            raise StoreError(f"{lacking}: run one first.")
        if always:
            listener.remark(f"{lacking}: the page shows what else there is.")

    def made(values: dict[str, Any]) -> tuple[str, dict[str, bytes]]:
        pictures = values.pop("pictures", {})
        html = render(
            dataset=quiet.dataset,
            stack=stack,
            record=record if stack and record and record.stack == stack.model else None,
            written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            version=__version__,
            inputs=inputs_of(quiet.dataset, notes),
            profile_name=notes.profile_name,
            ablation=ablation_tables(context.ablation_folder),
            benchmark=benchmark_tables(context.benchmark_folder),
            comparison=None if other is None else compare(values["it"], quiet, other),
            submissions=submissions_of(context.dataset.name, context.submissions),
            **values,
        )
        return html, pictures

    try:
        n_ads = min(n_ads, len(quiet.dataset.train_ids))
        with contents(quiet, stack, listener) as values_of:
            html, pictures = made(values_of(n_ads))
            while n_ads <= MOST_INSIDE and len(html.encode()) > LARGEST and n_ads > 1:
                n_ads //= 2
                html, pictures = made(values_of(n_ads))
    except (StoreError, ValueError, KeyError, IndexError):
        if digest(_made_from(context, stack, notes, _record(context))) == made_from:
            raise
        raise StoreError(
            f"Another command has changed {context.store_folder} meanwhile. `competition report` "
            "writes the page of what is there now."
        ) from None
    with locked(context.store_folder / LOCKS, ["report"], listener):
        _write_pictures(folder / "pictures", pictures)
        write_text(page, html)
        write_json(folder / "page.json", {"made_from": made_from})
    return page


def _record(context: AnyContext) -> RunRecord | None:
    """Read the record of the last run; None where there is none of this version."""
    path = context.store_folder / RECORD
    try:
        return read_record(path) if path.exists() else None
    except StoreError as bad:
        context.progress.remark(f"The page shows no submission and no times: {bad}")
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


def _check_writable(page: Path) -> None:
    """Raise a WriteError, before anything is computed, if the page cannot be written."""
    folder = next(one for one in page.parents if one.is_dir())
    with told_as_write_error(page), TemporaryFile(dir=folder):
        pass


def _other(context: AnyContext, out: Path) -> AnyContext:
    """Return the context of another run of the same ads."""
    if not out.is_dir():
        raise StoreError(f"There is no folder {out}: name the --out of another run.")
    return open_context(context.dataset, context.profile, out)


def _as_last_run(context: AnyContext, notes: Notes, progress: Progress) -> AnyContext:
    """Return the context with the last run's profile and its features, where they can be had."""
    bare = open_context(context.dataset, StackSettings(), context.out, n_jobs=context.n_jobs)
    try:
        if not notes.profile:
            return bare
        profile = Profile.model_validate(notes.profile)
        found = open_context(context.dataset, profile, context.out, n_jobs=context.n_jobs)
        if all(name in context.dataset.inputs for name in profile.features):
            return found
        return extract_features(found)[0]
    except (CompetitionError, ValueError) as bad:  # a ValueError: settings of another version
        progress.remark(f"The page shows no features of the last run: {bad}")
        return bare


def _write_pictures(folder: Path, pictures: dict[str, bytes]) -> None:
    if not pictures:
        remove(folder)
        return
    with folder_written_whole(folder) as new:
        for name, content in pictures.items():
            (new / name).write_bytes(content)
