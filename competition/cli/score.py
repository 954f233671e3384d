"""Score a leaderboard file."""

from pathlib import Path
from typing import Annotated

import typer


def score(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A leaderboard file.")],
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="The dataset that it is for.")
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option("--truth", metavar="FILE", help="tagging_info.txt, or a CSV of id and tags."),
    ] = None,
) -> None:
    """Score a leaderboard file; refuse what the official scorer would refuse."""
    from competition.datasets import load_dataset
    from competition.report.tables import print_scores
    from competition.submission.score import score_submission

    dataset = load_dataset(data) if data else None
    print_scores(score_submission(file, dataset, truth))
