"""Tag new ads with a saved stack, and say what is in it."""

from pathlib import Path
from typing import Annotated

import typer

from competition.cli.options import Device

Folder = Annotated[Path, typer.Argument(metavar="STACK", help="Folder of a saved stack.")]


def predict(
    stack: Folder,
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            metavar="DIR|TABLE",
            help="The new ads: a folder (its test ads, or all where it has none), or a table with "
            "one column per input.",
        ),
    ],
    to: Annotated[
        Path,
        typer.Option(
            "--to",
            metavar="FILE",
            help="Probabilities: .csv, .parquet or .jsonl; a leaderboard file with --format.",
        ),
    ],
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="Write a leaderboard file: wide, youtube8m or taac2021.",
        ),
    ] = None,
    tags: Annotated[
        bool,
        typer.Option("--tags", help="Write the tags to set, by the stack's own thresholds."),
    ] = False,
    calibrated: Annotated[
        bool,
        typer.Option(
            "--calibrated",
            help="Probabilities that mean frequencies; without it they are those of the run.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Keep features of the ads in DIR/cache."),
    ] = None,
    plugins: Annotated[
        list[Path] | None,
        typer.Option("--plugin", metavar="FILE", help="A plug-in whose models the stack holds."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", min=1, help="Processes that extract features."),
    ] = None,
    device: Device = "auto",
) -> None:
    """Tag new ads with a saved stack; needs no training data."""
    from competition.report.progress import ProgressBars
    from competition.report.tables import console
    from competition.saved.stack import load_stack
    from competition.saved.write import (
        check_target,
        write_leaderboard,
        write_probabilities,
        write_tags,
    )

    if tags and form is not None:
        raise typer.BadParameter("--tags and --format are two forms of the file: give one of them.")
    if calibrated and (tags or form is not None):
        raise typer.BadParameter("--calibrated goes with probabilities alone: it moves no rank.")
    with ProgressBars(console) as progress:
        loaded = load_stack(
            stack, out=out, device=device, n_jobs=jobs, plugins=plugins or (), progress=progress
        )
        check_target(to, loaded.manifest, form, tags=tags)
        found = loaded.predict(data) if tags else loaded.predict_proba(data, calibrated=calibrated)
    if tags:
        write_tags(to, found, loaded.manifest)
        n_tags = found["tags"].map(len).sum() / max(len(found), 1)
        shown = f"{n_tags:.1f} tags an ad, {found['unsure'].sum():,} unsure"
        typer.echo(f"{to}: {len(found):,} ads, {shown}")
        return
    if form is None:
        write_probabilities(to, found, loaded.manifest)
    else:
        write_leaderboard(to, found, loaded.manifest, form)
    typer.echo(f"{to}: {len(found):,} ads, {found.shape[1]} tags")


def describe(
    stack: Folder,
    other: Annotated[
        Path | None,
        typer.Argument(metavar="OTHER", help="Another saved stack: say what differs in it."),
    ] = None,
) -> None:
    """Say what a saved stack holds: models, inputs, scores, versions, sizes."""
    from competition.report.saved import print_differences, print_saved
    from competition.saved.manifest import read_manifest

    if other is None:
        print_saved(stack, read_manifest(stack))
    else:
        print_differences(stack, read_manifest(stack), other, read_manifest(other))
