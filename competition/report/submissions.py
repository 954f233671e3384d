"""The ledger of leaderboard files, for the page."""

from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from competition.report import plots
from competition.submission.ledger import LedgerRow, read_ledger
from competition.utils.errors import SubmissionError


@dataclass(frozen=True)
class Submissions:
    """Leaderboard files of a dataset, the newest first.

    Attributes
    ----------
    rows : list of LedgerRow
    drawing : Markup
        Leaderboard against OOF GAP; "" where fewer than two files have both.
    """

    rows: list[LedgerRow]
    drawing: Markup


def submissions_of(dataset: str, folder: Path) -> Submissions | None:
    """Read the rows of a dataset's files; None where there is none, or the ledger is unreadable."""
    try:
        rows = [row for row in read_ledger(folder) if row.file.startswith(f"{dataset}-")]
    except SubmissionError:
        return None
    if not rows:
        return None
    points = [
        (row.file, row.oof_gap, row.leaderboard)
        for row in rows
        if row.oof_gap is not None and row.leaderboard is not None
    ]
    drawing = plots.scatter(points, "OOF GAP", "leaderboard") if len(points) > 1 else Markup("")
    return Submissions(rows[::-1], drawing)
