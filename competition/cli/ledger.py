"""List the leaderboard files that were written; note what the leaderboard said."""

from pathlib import Path
from typing import Annotated

import typer

from competition.cli.options import HERE, Out

ledger = typer.Typer(
    invoke_without_command=True, help="List the leaderboard files, with their scores."
)


@ledger.callback()
def listing(context: typer.Context, out: Out = HERE) -> None:
    """List the leaderboard files that were written, with OOF GAP and leaderboard score."""
    if context.invoked_subcommand is None:
        from competition.report.ledger import print_ledger
        from competition.submission.ledger import read_ledger

        print_ledger(read_ledger(out / "submissions"), out / "submissions")


@ledger.command()
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A leaderboard file.")],
    score: Annotated[float, typer.Option("--score", help="What the leaderboard gave it.")],
    out: Out = HERE,
) -> None:
    """Note what the leaderboard gave a file."""
    from competition.report.progress import ProgressBars
    from competition.report.tables import console
    from competition.submission.ledger import note_score

    with ProgressBars(console) as progress:
        row = note_score(file, score, out / "submissions", progress)
    gap = "not known" if row.oof_gap is None else f"{row.oof_gap:.4f}"
    typer.echo(f"{row.file}: leaderboard {score:g}, OOF GAP {gap}")
    typer.echo("On the page after `python -m competition report --data DIR`, or the next run.")
