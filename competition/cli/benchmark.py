"""Repeat the comparisons of a paper."""

from typing import Annotated

import typer

from competition.cli.options import HERE, DataOption, Device, Out
from competition.cli.page import write_page_at_end

benchmark = typer.Typer(no_args_is_help=True, help="Compare methods as a paper does.")


@benchmark.command("image-ads")
def image_ads(
    data: DataOption,
    profile: Annotated[
        str, typer.Option("--profile", metavar="NAME", help="Its features and parameters.")
    ] = "image_ads",
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Like features.look.checkpoint=NAME_OR_FOLDER."
        ),
    ] = None,
    out: Out = HERE,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Processes that extract features.")
    ] = None,
    device: Device = "auto",
    splits: Annotated[
        int, typer.Option("--splits", min=1, help="Random splits, for mean and spread.")
    ] = 1,
) -> None:
    """Tables 1 and 2 and the sweeps of Look, Read and Feel (2020), with its rivals."""
    from competition.config.profile import load_profile
    from competition.report.benchmark import print_benchmark
    from competition.report.progress import ProgressBars
    from competition.report.tables import console
    from competition.reproductions.look_read_feel.run import run

    settings = load_profile(profile, overrides)
    with ProgressBars(console) as progress:
        result = run(
            data, settings, out, n_jobs=jobs, device=device, splits=splits, progress=progress
        )
    print_benchmark(result)
    write_page_at_end(data, out, jobs=jobs)
