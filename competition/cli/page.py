"""The page that a command writes at its end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from competition.config.profile import Profile
    from competition.datasets.base import AdDataset
    from competition.report.notes import Notes


def write_page_at_end(
    data: Path | AdDataset,
    out: Path,
    *,
    notes: Notes | None = None,
    settings: Profile | None = None,
    jobs: int | None = None,
) -> None:
    """Write the page, if something on it has changed, and say where it lies.

    Where it cannot be made, the command has done its work all the same, and says why.
    """
    from competition.report.page import write_page
    from competition.report.progress import ProgressBars
    from competition.report.tables import console, print_page
    from competition.utils.errors import CompetitionError

    try:
        with ProgressBars(console) as progress:
            page = write_page(
                data, out, settings=settings, notes=notes, n_jobs=jobs, progress=progress
            )
    except (CompetitionError, OSError) as bad:
        typer.echo(f"The page was not written: {bad}")
        return
    print_page(page)
