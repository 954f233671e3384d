"""The ledger of the leaderboard files that were written, and of what the leaderboard said.

::

    submissions/ledger.csv    file,when,profile,oof_gap,leaderboard,digest

It is a log: rows are added, never removed, also where a file is gone. Columns of one's own may
stand after these and are kept.
"""

import csv
import io
import math
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from competition.utils.errors import SubmissionError
from competition.utils.files import file_digest, written_whole
from competition.utils.locks import locked
from competition.utils.progress import Progress
from competition.utils.spreadsheets import as_text, from_text, write_rows

LEDGER, LOCKS = "ledger.csv", ".locks"
COLUMNS = ("file", "when", "profile", "oof_gap", "leaderboard", "digest")


@dataclass(frozen=True)
class LedgerRow:
    """A leaderboard file.

    Attributes
    ----------
    file : str
        Its name.
    when : str
        UTC, when it was first written.
    profile : str
        Name or path; "stack" for the command of that name, "" where it is not known.
    oof_gap : float or None
        Of the stack, out of fold.
    leaderboard : float or None
        What the leaderboard said.
    digest : str
        SHA-256 of its bytes.
    own : dict of str to str
        Columns that the user has added.
    """

    file: str
    when: str
    profile: str
    oof_gap: float | None
    leaderboard: float | None
    digest: str
    own: dict[str, str] = field(default_factory=dict)


def read_ledger(folder: Path) -> list[LedgerRow]:
    """Read the ledger of a folder of submissions, the oldest row first; empty where there is none.

    Raises
    ------
    SubmissionError
        If it cannot be read; the message names the row.
    """
    path = folder / LEDGER
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as bad:
        raise _unreadable(path, f"it is no UTF-8 ({bad.reason} at byte {bad.start})") from bad
    try:
        header, *lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    except (ValueError, csv.Error) as bad:
        raise _unreadable(path, f"it is no CSV ({bad})") from bad
    if lacking := [name for name in COLUMNS if header.count(name) != 1]:
        raise _unreadable(path, f"its header needs one column {lacking[0]!r}")
    return [_row(path, n, header, cells) for n, cells in enumerate(lines, start=2) if cells]


def _row(path: Path, number: int, header: list[str], cells: list[str]) -> LedgerRow:
    if len(cells) != len(header):
        raise _unreadable(path, f"row {number} has {len(cells)} cells, not {len(header)}")
    values = {name: from_text(cell) for name, cell in zip(header, cells, strict=True)}
    known = {name: values.pop(name) for name in COLUMNS}
    numbers: dict[str, float | None] = {}
    for name in ("oof_gap", "leaderboard"):
        cell = known.pop(name)
        try:
            numbers[name] = float(cell) if cell else None
        except ValueError:
            numbers[name] = math.nan
        if not math.isfinite(numbers[name] or 0):
            raise _unreadable(path, f"row {number}: {name} is {cell!r}, no number")
    return LedgerRow(**known, **numbers, own=values)  # type: ignore[arg-type]


def _unreadable(path: Path, why: str) -> SubmissionError:
    return SubmissionError(
        f"{path} cannot be read: {why}. Mend it, or rename it and a new one is begun."
    )


def note_submission(path: Path, profile: str, oof_gap: float, progress: Progress) -> None:
    """Add a row for a file that was written, unless the same bytes have one under its name.

    A ledger that cannot be read stays as it is, with a remark: the submission is there.

    Parameters
    ----------
    path : Path
        The leaderboard file; the ledger lies beside it.
    profile : str
    oof_gap : float
    progress : Progress
    """
    new = LedgerRow(path.name, _now(), profile, oof_gap, None, file_digest(path))
    with _locked(path.parent, progress):
        try:
            rows = read_ledger(path.parent)
        except SubmissionError as bad:
            progress.remark(f"Warning: {path.name} is not noted: {bad}")
            return
        if not any((row.file, row.digest) == (new.file, new.digest) for row in rows):
            _write(path.parent, [*rows, new])


def note_score(file: Path, score: float, folder: Path, progress: Progress) -> LedgerRow:
    """Note what the leaderboard gave a file.

    Parameters
    ----------
    file : Path
        Its bytes say which row is meant; where it is gone, the last row of its name is.
    score : float
    folder : Path
        Of the submissions, where the ledger does not lie beside the file.
    progress : Progress

    Returns
    -------
    LedgerRow
        As it stands now. A file that has no row gets one.

    Raises
    ------
    SubmissionError
        If the score is not finite, the file is neither there nor in the ledger, or the ledger
        cannot be read.
    """
    if not math.isfinite(score):
        raise SubmissionError(f"The score {score} is no number. Give the leaderboard's, like 0.81.")
    folder = file.parent if (file.parent / LEDGER).is_file() else folder
    digest = file_digest(file) if file.is_file() else None
    with _locked(folder, progress):
        rows = read_ledger(folder)
        places = [
            place
            for place, row in enumerate(rows)
            if row.file == file.name and digest in (None, row.digest)
        ]
        if not places and digest is None:
            raise SubmissionError(
                f"{file} is neither there nor in {folder / LEDGER}. Name a leaderboard file; "
                "`python -m competition ledger` lists those that were written."
            )
        if places:
            row = replace(rows[places[-1]], leaderboard=score)
            rows[places[-1]] = row
        else:
            row = LedgerRow(file.name, _now(), "", None, score, str(digest))
            rows.append(row)
        _write(folder, rows)
    return row


def _locked(folder: Path, progress: Progress) -> AbstractContextManager[None]:
    return locked(folder / LOCKS, [LEDGER], progress)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _write(folder: Path, rows: list[LedgerRow]) -> None:
    own = list(dict.fromkeys(name for row in rows for name in row.own))
    with (
        written_whole(folder / LEDGER) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        write_rows(file, [[*COLUMNS, *map(as_text, own)], *(_cells(row, own) for row in rows)])


def _cells(row: LedgerRow, own: list[str]) -> list[str]:
    return [
        as_text(row.file),
        as_text(row.when),
        as_text(row.profile),
        "" if row.oof_gap is None else repr(row.oof_gap),
        "" if row.leaderboard is None else repr(row.leaderboard),
        as_text(row.digest),
        *(as_text(row.own.get(name, "")) for name in own),
    ]
