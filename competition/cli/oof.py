"""Add predictions made elsewhere; list, remove and rename what is stored."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from competition.cli.options import HERE, DataOption, Out
from competition.utils.errors import PredictionsError

oof = typer.Typer(no_args_is_help=True, help="List, remove and rename stored models.")

Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="Names, or patterns: 'm1*'.")]


def add_oof(
    data: DataOption,
    name: Annotated[str | None, typer.Argument(help="Name for the model.")] = None,
    oof: Annotated[
        Path | None,
        typer.Option("--oof", metavar="FILE", help="Out-of-fold predictions: CSV, Parquet or NPZ."),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option("--test", metavar="FILE", help="Its predictions for the test ads."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="DIR",
            help="Add every NAME.oof.csv (.parquet, .npz) with its NAME.test file of a folder.",
        ),
    ] = None,
    out: Out = HERE,
    scale: Annotated[
        Literal["probability", "logit", "score"],
        typer.Option(
            "--scale",
            metavar="SCALE",
            help="What the numbers are: probability, logit, or score for any other; scores are "
            "calibrated inside the folds.",
        ),
    ] = "probability",
    ignore_extra: Annotated[
        bool,
        typer.Option("--ignore-extra", help="Leave out tags and ads that the dataset lacks."),
    ] = False,
    partial: Annotated[
        bool,
        typer.Option("--partial", help="Ads may be missing; the stack does without it for them."),
    ] = False,
) -> None:
    """Store predictions made elsewhere as level-1 models like any other."""
    from competition.pipeline.add_oof import add_oof as add_one
    from competition.pipeline.add_oof_folder import add_oof_folder
    from competition.report.progress import ProgressBars
    from competition.report.tables import console

    if (folder is None) == (name is None or oof is None) or (folder and (name or oof or test)):
        raise PredictionsError("Give a NAME with --oof FILE and --test FILE, or --from DIR alone.")
    with ProgressBars(console) as progress:
        if folder is not None:
            added = add_oof_folder(
                folder,
                data,
                out,
                progress,
                scale=scale,
                ignore_extra=ignore_extra,
                partial=partial,
            )
        else:
            assert name is not None
            assert oof is not None  # as one of the two ways is asked for
            card = add_one(
                name,
                data,
                oof,
                test,
                out,
                progress,
                scale=scale,
                ignore_extra=ignore_extra,
                partial=partial,
            )
    if folder is None:
        typer.echo(f"{name}: OOF GAP {card.scores.gap:.4f}; `stack` will use it.")
        return
    if added.cards:
        best = max(added.cards, key=lambda card: card.scores.gap)
        typer.echo(
            f"{len(added.cards):,} models are stored; the best is {best.model}, OOF GAP "
            f"{best.scores.gap:.4f}. `stack` will use them."
        )
    if added.refused:
        told = "\n".join(f"  {name}: {why}" for name, why in added.refused.items())
        raise PredictionsError(f"{len(added.refused):,} model(s) of {folder} are not:\n{told}")


@oof.command("list")
def list_(
    data: DataOption,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME...]", help="Names, or patterns: 'm1*'.")
    ] = None,
    out: Out = HERE,
    by: Annotated[
        Literal["gap", "map", "name", "adds", "written"],
        typer.Option("--sort", metavar="KEY", help="gap (the default), map, name, adds, written."),
    ] = "gap",
    adds: Annotated[
        bool,
        typer.Option(
            "--adds", help="Measure what each model adds to the mean of those that are listed."
        ),
    ] = False,
) -> None:
    """List the models that are stored for a folder of ads."""
    from competition.pipeline.stored import list_oof
    from competition.report.stored import print_stored

    print_stored(list_oof(data, out, names or (), adds=adds or by == "adds"), by)


@oof.command()
def remove(
    names: Names,
    data: DataOption,
    out: Out = HERE,
    yes: Annotated[bool, typer.Option("--yes", help="Remove what patterns fit, too.")] = False,
) -> None:
    """Remove stored models: their predictions and their cards."""
    from competition.pipeline.stored_changes import remove_oof
    from competition.report.progress import ProgressBars
    from competition.report.tables import console

    with ProgressBars(console) as progress:
        removed = remove_oof(data, names, out, sure=yes, progress=progress)
    typer.echo(f"Removed {', '.join(removed)}.")


@oof.command()
def rename(
    old: Annotated[str, typer.Argument(metavar="OLD")],
    new: Annotated[str, typer.Argument(metavar="NEW")],
    data: DataOption,
    out: Out = HERE,
) -> None:
    """Give a model that was made elsewhere another name."""
    from competition.pipeline.stored_changes import rename_oof
    from competition.report.progress import ProgressBars
    from competition.report.tables import console

    with ProgressBars(console) as progress:
        rename_oof(data, old, new, out, progress=progress)
    typer.echo(f"{old} is called {new} now.")
