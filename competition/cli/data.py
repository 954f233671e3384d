"""Check a folder of ads, make its folds, extract its features; write demo ads."""

from typing import Annotated

import typer

from competition.cli.options import HERE, Data, DataOption, Device, On, Out, Overrides


def check(
    data: Data,
    n_folds: Annotated[
        int | None,
        typer.Option(
            "--folds",
            min=2,
            help="Warn of tags that are too rare for so many folds (default: those of a profile).",
        ),
    ] = None,
    show_all: Annotated[
        bool, typer.Option("--all", help="List every finding, however many there are.")
    ] = False,
    n_jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Processes (default: one a core).")
    ] = None,
) -> None:
    """Report all that is wrong or missing in a folder of ads; exit 2 if a run would refuse it."""
    from competition.config.stages import FoldSettings
    from competition.datasets.check import check_dataset
    from competition.report.progress import ProgressBars
    from competition.report.tables import console, print_check

    with ProgressBars(console) as progress:
        dataset, problems = check_dataset(data, n_folds or FoldSettings().n, progress, n_jobs)
    print_check(dataset, problems, show_all=show_all)
    if problems.errors:
        raise typer.Exit(2)


def init(data: Data) -> None:
    """Look at a folder of tables and files, and write a competition.toml that describes it."""
    from competition.datasets import describe

    path = describe.init(data)
    typer.echo(path.read_text(encoding="utf-8"), nl=False)
    typer.echo(f"\nWrote {path}. Read it, then `python -m competition check {data}`.")


def folds(
    data: Data,
    n: Annotated[
        int | None,
        typer.Option(
            "--n", min=2, help="Number of folds, where none are stored (default: as in a profile)."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of new folds.")] = 0,
    out: Out = HERE,
) -> None:
    """Make the folds of a dataset, or read those it has, and show how even every tag comes out."""
    from competition.config.profile import StackSettings
    from competition.config.stages import FoldSettings
    from competition.pipeline.context import open_context, open_store
    from competition.report.tables import print_folds

    wanted = FoldSettings(seed=seed) if n is None else FoldSettings(n=n, seed=seed)
    context = open_context(data, StackSettings(folds=wanted), out)
    print_folds(context.dataset, open_store(context).folds, context.folds_file)


def extract(
    data: DataOption,
    profile: Annotated[
        str, typer.Option("--profile", metavar="NAME", help="Names the features to extract.")
    ],
    overrides: Overrides = None,
    out: Out = HERE,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Processes (default: one a core).")
    ] = None,
    device: Device = "auto",
    on: On = "local",
) -> None:
    """Extract the features of a profile, and list every file that cannot be read."""
    from competition.config.profile import load_profile
    from competition.pipeline import extract as extraction
    from competition.report.progress import ProgressBars
    from competition.report.tables import console, print_extractions

    settings = load_profile(profile, overrides)
    with ProgressBars(console) as progress:
        _, extractions = extraction.extract(
            data, settings, out, n_jobs=jobs, device=device, on=on, progress=progress
        )
    print_extractions(extractions)


def demo(
    data: Data,
    ads: Annotated[int, typer.Option(help="Training ads.")] = 500,
    test_ads: Annotated[
        int | None, typer.Option("--test-ads", help="Test ads (default: a fifth as many).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Other seeds make other ads.")] = 0,
    films: Annotated[bool, typer.Option(help="Render films, or write the texts alone.")] = True,
    arrays: Annotated[
        bool,
        typer.Option(
            "--arrays",
            help="Write arrays in place of films, as many tags as the competition has, and texts "
            "as long: --ads 5000 --test-ads 5000 makes its size.",
        ),
    ] = False,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Films at a time (default: one a core).")
    ] = None,
) -> None:
    """Write demo ads in the TAAC 2021 layout, with the tags of the test ads in a file apart."""
    from competition.demo.make import make_demo
    from competition.report.progress import ProgressBars
    from competition.report.tables import console

    with ProgressBars(console) as progress:
        make_demo(
            data,
            ads,
            seed,
            test_ads=test_ads,
            films=films,
            arrays=arrays,
            n_jobs=jobs,
            progress=progress,
        )
    n_test = ads // 5 if test_ads is None else test_ads
    typer.echo(f"{data}: {ads} training ads and {n_test} test ads (seed {seed})")
