"""Write the page."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from competition.cli.options import HERE, DataOption, Out


def report(
    data: DataOption,
    out: Out = HERE,
    ads: Annotated[
        int,
        typer.Option(
            "--ads", min=1, help="Ads on the page at most; above 500 their pictures lie beside it."
        ),
    ] = 500,
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="DIR", help="The --out of another run to compare with."),
    ] = None,
    opened: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Pictures at a time (default: one a core).")
    ] = None,
) -> None:
    """Write the page of the stored results again: oof/<dataset>/report/index.html."""
    from competition.report.page import write_page
    from competition.report.progress import ProgressBars
    from competition.report.tables import console, print_page

    with ProgressBars(console) as progress:
        page = write_page(
            data, out, n_ads=ads, against=against, always=True, n_jobs=jobs, progress=progress
        )
    print_page(page)
    if opened:
        webbrowser.open(page.as_uri())
