"""List likely label errors."""

from pathlib import Path
from typing import Annotated

import typer

from competition.cli.options import HERE, DataOption, Out, Overrides


def label_errors(
    data: DataOption,
    profile: Annotated[
        str,
        typer.Option("--profile", metavar="NAME", help="The profile that was run."),
    ] = "text",
    overrides: Overrides = None,
    out: Out = HERE,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", metavar="FILE", help="CSV to be checked by hand (default: below oof/)."
        ),
    ] = None,
    most: Annotated[
        int, typer.Option(min=1, help="Labels to list in the file, the most suspicious first.")
    ] = 1000,
) -> None:
    """List the labels that the stack's out-of-fold predictions contradict most, as a CSV file."""
    from competition.config.profile import load_profile
    from competition.pipeline import label_errors as finding
    from competition.report.label_errors import print_label_errors
    from competition.report.progress import ProgressBars
    from competition.report.tables import console

    settings = load_profile(profile, overrides)
    with ProgressBars(console) as progress:
        found = finding.label_errors(data, settings, out, most=most, progress=progress)
    path = out / "oof" / found.dataset.name / "label_errors.csv" if to is None else to
    found.write(path)
    print_label_errors(found)
    typer.echo(f"Written: {path}")
