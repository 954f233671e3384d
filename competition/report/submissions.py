"""The ledger of leaderboard files, for the page."""

import re
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
    problem : str
        Why the ledger cannot be read; "" where it can.
    """

    rows: list[LedgerRow]
    drawing: Markup
    problem: str = ""


def submissions_of(dataset: str, folder: Path) -> Submissions | None:
    """Read the rows of a dataset's files; None where there is none."""
    # As `submit` names them: those of a dataset "films" are not those of one "films-2".
    its_own = re.compile(re.escape(dataset) + r"-[^-]+-\d\.\d{4}\..*")
    try:
        rows = [row for row in read_ledger(folder) if its_own.fullmatch(row.file)]
    except SubmissionError as bad:
        return Submissions([], Markup(""), str(bad))
    if not rows:
        return None
    points = [
        (row.file, row.oof_gap, row.leaderboard)
        for row in rows
        if row.oof_gap is not None and row.leaderboard is not None
    ]
    drawing = plots.scatter(points, "OOF GAP", "leaderboard") if len(points) > 1 else Markup("")
    return Submissions(rows[::-1], drawing)
