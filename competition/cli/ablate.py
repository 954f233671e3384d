"""Compare modalities, models and ways of fusing."""

from typing import Annotated

import typer

from competition.cli.options import HERE, DataOption, Device, Out, Overrides
from competition.cli.page import write_page_at_end


def ablate(
    data: DataOption,
    profile: Annotated[
        str,
        typer.Option("--profile", metavar="NAME", help="Names the meta-learner and the features."),
    ] = "text",
    overrides: Overrides = None,
    out: Out = HERE,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Rows at a time (default: one a core).")
    ] = None,
    device: Device = "auto",
) -> None:
    """Show what each modality, model and way of fusing is worth, from stored predictions."""
    from competition.ablation import ablate as ablation
    from competition.config.profile import load_profile
    from competition.report.ablation import print_ablation, print_drawings
    from competition.report.ad import open_viewer
    from competition.report.progress import ProgressBars
    from competition.report.tables import console

    settings = load_profile(profile, overrides)
    with ProgressBars(console) as progress:
        result = ablation.ablate(data, settings, out, n_jobs=jobs, device=device, progress=progress)
        viewer = open_viewer(data, settings, out, n_jobs=jobs, device=device)
    print_ablation(result)
    print_drawings(viewer, result.paths[0].parent, settings.seed)
    write_page_at_end(data, out, jobs=jobs)
