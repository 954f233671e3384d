"""Show one ad."""

from pathlib import Path
from typing import Annotated

import typer

from competition.cli.options import HERE, DataOption, Device, Out, Overrides


def show(
    ad: Annotated[str, typer.Argument(metavar="AD", help="Id of a training or test ad.")],
    data: DataOption,
    profile: Annotated[
        str,
        typer.Option("--profile", metavar="NAME", help="The profile that was run."),
    ] = "text",
    overrides: Overrides = None,
    out: Out = HERE,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="Draw a PNG there instead of on the terminal."),
    ] = None,
    device: Device = "auto",
) -> None:
    """Show an ad: its pictures, texts, true tags, and what the stack and each modality predict."""
    from competition.config.profile import load_profile
    from competition.report.ad import open_viewer
    from competition.report.ad_drawing import draw_ad, print_ad
    from competition.report.progress import ProgressBars
    from competition.report.tables import console

    if to is not None and to.suffix.lower() not in ("", ".png"):
        raise typer.BadParameter(f"--to {to}: the drawing is a PNG. Give it the ending .png.")
    settings = load_profile(profile, overrides)
    with ProgressBars(console) as progress:
        viewer = open_viewer(data, settings, out, ad=ad, device=device, progress=progress)
    view = viewer.view(ad)
    if to is None:
        print_ad(view)
    else:
        draw_ad(view, to)
        typer.echo(f"Written: {to}")
