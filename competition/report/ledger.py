"""The ledger of submissions on the terminal."""

from pathlib import Path

from rich.markup import escape
from rich.table import Table

from competition.report.tables import console
from competition.submission.ledger import LEDGER, LedgerRow


def print_ledger(rows: list[LedgerRow], folder: Path) -> None:
    """Print a row for every leaderboard file, the oldest first."""
    table = Table(title="Submissions")
    for heading in ("file", "when", "profile"):
        table.add_column(heading, overflow="fold")
    for heading in ("OOF GAP", "leaderboard"):
        table.add_column(heading, justify="right")
    for row in rows:
        gone = "" if (folder / row.file).is_file() else " (gone)"
        table.add_row(
            escape(row.file) + gone,
            escape(row.when.partition("+")[0].replace("T", " ")),
            escape(row.profile),
            _shown(row.oof_gap),
            _shown(row.leaderboard),
        )
    console.print(table)
    absent = "" if (folder / LEDGER).is_file() else ", which is not there yet"
    console.print(
        f"Ledger: {folder / LEDGER}{absent}", highlight=False, markup=False, soft_wrap=True
    )


def _shown(score: float | None) -> str:
    return "" if score is None else f"{score:.4f}"
