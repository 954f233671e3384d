"""Search parameters."""

from pathlib import Path
from typing import Annotated

import typer

from competition.cli.options import (
    HERE,
    DataOption,
    Device,
    Metric,
    On,
    Out,
    Overrides,
    with_metric,
)


def tune(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A level-1 model, or 'stack' for level 2.")
    ],
    data: DataOption,
    profile: Annotated[
        str, typer.Option("--profile", metavar="NAME", help="Its values are the first trial.")
    ] = "text",
    trials: Annotated[
        int, typer.Option(min=1, help="Trials of the study in all, earlier ones included.")
    ] = 30,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Begin no trial after so many seconds.")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="A database that machines share, or journal:PATH, a file that they all see "
            "(default: a file below oof/).",
        ),
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="File for the best profile (default: below oof/)."),
    ] = None,
    overrides: Overrides = None,
    out: Out = HERE,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Folds at a time (default: one a core).")
    ] = None,
    metric: Metric = None,
    device: Device = "auto",
    on: On = "local",
) -> None:
    """Search a model's parameters for the highest OOF score; write the best as a profile."""
    from competition.config.profile import load_profile
    from competition.report.progress import ProgressBars
    from competition.report.tables import console, print_tuned
    from competition.tuning import search

    settings = load_profile(profile, with_metric(overrides, metric))
    with ProgressBars(console) as progress:
        tuned = search.tune(
            model,
            data,
            settings,
            out,
            n_trials=trials,
            timeout=timeout,
            storage=storage,
            write=write,
            n_jobs=jobs,
            device=device,
            on=on,
            progress=progress,
        )
    print_tuned(tuned)
