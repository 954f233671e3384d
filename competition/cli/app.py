"""The command line: parse, call, print; no logic.

Modules are imported by the commands that need them, so that ``--help`` answers at once.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from competition.utils.errors import CompetitionError

ROOT = Path(__file__).resolve().parents[2]  # where oof/ and submissions/ lie by default
DEMO_FOLDER = Path("cache", "demo_ads")
INTERRUPTED = 130  # the exit status that typer gives Ctrl-C

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Stack models of text, pictures, sound and metadata to tag ads.",
)

benchmarks = typer.Typer(no_args_is_help=True, help="Compare methods as a paper does.")
app.add_typer(benchmarks, name="benchmark")

Data = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of ads.")]
DataOption = Annotated[Path, typer.Option("--data", metavar="DIR", help="Folder of ads.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one value of the profile."),
]
Share = Annotated[
    float | None,
    typer.Option(
        "--holdout", metavar="SHARE", help="Keep this share of the training ads for a last score."
    ),
]
Device = Annotated[
    str, typer.Option("--device", help="Where networks run: auto, cpu, cuda, cuda:1, mps.")
]


@app.command()
def run(
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Folder of ads; without it, demo ads."),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="NAME",
            help="demo, text, posters, clips, taac2021, or a path to your own .toml "
            "(default: demo without --data, else text).",
        ),
    ] = None,
    overrides: Overrides = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Holds oof/, submissions/ and cache/.")
    ] = ROOT,
    own_folds: Annotated[
        Path | None, typer.Option("--folds", metavar="FILE", help="Your own folds.csv: id,fold.")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", min=1, help="(model, fold) tasks at a time (default: one a core)."),
    ] = None,
    holdout: Share = None,
    device: Device = "auto",
) -> None:
    """Make folds, OOF predictions, the stack, its scores and a submission."""
    from competition.config.profile import load_profile
    from competition.pipeline import run as pipeline
    from competition.report.progress import ProgressBars
    from competition.report.tables import console, print_run

    settings = load_profile(profile or ("text" if data else "demo"), overrides)
    if data is None:
        from competition.demo.make import make_demo

        data = out / DEMO_FOLDER
        with ProgressBars(console) as progress:
            make_demo(data, n_jobs=jobs, progress=progress)
    with ProgressBars(console) as progress:
        result = pipeline.run(
            data,
            settings,
            out,
            n_jobs=jobs,
            own_folds=own_folds,
            holdout=holdout,
            device=device,
            progress=progress,
        )
    print_run(result)


@app.command()
def extract(
    data: DataOption,
    profile: Annotated[str, typer.Option("--profile", metavar="NAME", help="Says which features.")],
    overrides: Overrides = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Holds cache/.")] = ROOT,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Processes (default: one a core).")
    ] = None,
    device: Device = "auto",
) -> None:
    """Extract the features of a profile, and list every file that could not be read."""
    from competition.config.profile import load_profile
    from competition.execution.devices import n_cores
    from competition.pipeline.extract import open_ads
    from competition.report.progress import ProgressBars
    from competition.report.tables import console, print_extractions

    settings = load_profile(profile, overrides)
    cores = n_cores()
    with ProgressBars(console) as progress:
        _, extractions = open_ads(
            data,
            settings,
            out,
            n_jobs=jobs or cores,
            n_cores=cores,
            device=device,
            progress=progress,
        )
    print_extractions(extractions)


@app.command()
def add_oof(
    name: Annotated[str, typer.Argument(help="What the model is to be called.")],
    data: DataOption,
    oof: Annotated[
        Path,
        typer.Option("--oof", metavar="FILE", help="Out-of-fold predictions: CSV, Parquet or NPZ."),
    ],
    test: Annotated[
        Path | None,
        typer.Option("--test", metavar="FILE", help="Its predictions for the test ads."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Holds oof/.")] = ROOT,
) -> None:
    """Make predictions made elsewhere a level-1 model like any other."""
    from competition.pipeline import add_oof as outside
    from competition.report.progress import ProgressBars
    from competition.report.tables import console

    with ProgressBars(console) as progress:
        card = outside.add_oof(name, data, oof, test, out, progress)
    typer.echo(f"{name}: OOF GAP {card.scores.gap:.4f}; `stack` will use it.")


@app.command()
def stack(
    data: DataOption,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Holds oof/ and submissions/.")
    ] = ROOT,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Like level2.dnn.seeds=3, level2.metadata, seed."
        ),
    ] = None,
    holdout: Share = None,
) -> None:
    """Stack all stored level-1 models by the meta-learner that proves best; write a submission."""
    from competition.config.profile import load_stack_settings
    from competition.pipeline import stack as stacking
    from competition.report.progress import ProgressBars
    from competition.report.tables import console, print_stack

    settings = load_stack_settings(overrides)
    with ProgressBars(console) as progress:
        result = stacking.stack(data, settings, out, holdout=holdout, progress=progress)
    print_stack(result)


@app.command()
def tune(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A level-1 model, or 'stack' for level 2.")
    ],
    data: DataOption,
    profile: Annotated[
        str, typer.Option("--profile", metavar="NAME", help="Its values are the first trial.")
    ] = "text",
    trials: Annotated[
        int, typer.Option(min=1, help="Trials that the study shall have, earlier ones included.")
    ] = 30,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="No trial begins after these.")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A database that machines share (default: a file)."),
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="The best profile (default: below oof/)."),
    ] = None,
    overrides: Overrides = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Holds oof/ and cache/.")
    ] = ROOT,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Folds at a time (default: one a core).")
    ] = None,
    device: Device = "auto",
) -> None:
    """Search a model's parameters for the highest OOF GAP; write the best as a profile."""
    from competition.config.profile import load_profile
    from competition.report.progress import ProgressBars
    from competition.report.tables import console, print_tuned
    from competition.tuning import search as tuning

    settings = load_profile(profile, overrides)
    with ProgressBars(console) as progress:
        tuned = tuning.tune(
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
            progress=progress,
        )
    print_tuned(tuned)


@app.command()
def ablate(
    data: DataOption,
    profile: Annotated[
        str, typer.Option("--profile", metavar="NAME", help="Says what stacks, and which features.")
    ] = "text",
    overrides: Overrides = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Holds oof/ and cache/.")
    ] = ROOT,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Rows at a time (default: one a core).")
    ] = None,
    device: Device = "auto",
) -> None:
    """Say what each modality, model and way of fusing is worth, from stored predictions."""
    from competition.ablation.ablate import ablate as make_tables
    from competition.config.profile import load_profile
    from competition.report.ablation import print_ablation
    from competition.report.progress import ProgressBars
    from competition.report.tables import console

    settings = load_profile(profile, overrides)
    with ProgressBars(console) as progress:
        ablation = make_tables(data, settings, out, n_jobs=jobs, device=device, progress=progress)
    print_ablation(ablation)


@app.command()
def check(
    data: Data,
    n_folds: Annotated[
        int, typer.Option("--folds", help="Folds that every tag should reach.", min=2)
    ] = 5,
    show_all: Annotated[
        bool, typer.Option("--all", help="List every finding, however many there are.")
    ] = False,
) -> None:
    """Report all that is wrong or missing in a folder of ads; exit 2 if a run would refuse it."""
    from competition.datasets.check import check_dataset
    from competition.report.progress import ProgressBars
    from competition.report.tables import console, print_check

    with ProgressBars(console) as progress:
        dataset, problems = check_dataset(data, n_folds, progress)
    print_check(dataset, problems, show_all=show_all)
    if problems.errors:
        raise typer.Exit(2)


@app.command()
def folds(
    data: Data,
    n: Annotated[int, typer.Option("--n", help="Number of folds, where none are stored.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of new folds.")] = 0,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Holds oof/.")] = ROOT,
) -> None:
    """Make the folds of a dataset, or read those it has, and show how even every tag comes out."""
    from competition.datasets import load_dataset
    from competition.folds import load_or_make_folds
    from competition.report.tables import print_folds

    dataset = load_dataset(data)
    path = out / "oof" / dataset.name / "folds.csv"
    print_folds(dataset, load_or_make_folds(path, dataset, n, seed), path)


@app.command()
def demo(
    data: Data,
    ads: Annotated[int, typer.Option(help="Training ads; a fifth as many test ads.")] = 500,
    seed: Annotated[int, typer.Option(help="Other seeds make other ads.")] = 0,
    films: Annotated[bool, typer.Option(help="Render films, or write the texts alone.")] = True,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Films at a time (default: one a core).")
    ] = None,
) -> None:
    """Write demo ads in the TAAC 2021 layout, with the truth of the test ads aside."""
    from competition.demo.make import make_demo
    from competition.report.progress import ProgressBars
    from competition.report.tables import console

    with ProgressBars(console) as progress:
        make_demo(data, ads, seed, films=films, n_jobs=jobs, progress=progress)
    typer.echo(f"{data}: {ads} training ads and {max(1, ads // 5)} test ads (seed {seed})")


@app.command()
def models(
    pattern: Annotated[str, typer.Argument(help="Like 'tfidf_*'.")] = "*",
) -> None:
    """List extractors, level-1 models and meta-learners: what they read, what can be set."""
    from competition.report.tables import print_models

    print_models(pattern)


@app.command()
def new_model(
    name: Annotated[str, typer.Argument(help="A new name, like my_model.")],
) -> None:
    """Write a working level-1 model to start from, and its test."""
    from competition.level1.template import write_template

    new = write_template(name, Path.cwd())
    typer.echo(f"wrote {new.model}")
    typer.echo(f"wrote {new.test}")
    typer.echo(new.usage)


@benchmarks.command("image-ads")
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
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Holds benchmarks/ and cache/.")
    ] = ROOT,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Processes that extract features.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Tables 1 and 2 and the sweeps of Look, Read and Feel (2020), with its rivals."""
    from competition.config.profile import load_profile
    from competition.report.benchmark import print_benchmark
    from competition.report.progress import ProgressBars
    from competition.report.tables import console
    from competition.reproductions.look_read_feel.run import run as run_benchmark

    settings = load_profile(profile, overrides)
    with ProgressBars(console) as progress:
        result = run_benchmark(data, settings, out, n_jobs=jobs, device=device, progress=progress)
    print_benchmark(result)


@app.command()
def score(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A leaderboard file.")],
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="The dataset it is for.")
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option("--truth", metavar="FILE", help="tagging_info.txt, or a CSV of id and tags."),
    ] = None,
) -> None:
    """Score a leaderboard file; reject what the official scorer would reject."""
    from competition.datasets import load_dataset
    from competition.report.tables import print_scores
    from competition.submission.score import score_submission

    dataset = load_dataset(data) if data else None
    print_scores(score_submission(file, dataset, truth))


def main() -> None:
    """Run the command line; a user's error is one message and exit status 2."""
    try:
        app()
    except CompetitionError as error:
        sys.exit(_fail(str(error), 2))
    except OSError as error:
        if error.filename is None:
            raise
        reason = f"{error.filename}: {error.strerror}. Check the path, the rights and the space."
        sys.exit(_fail(reason, 2))
    except SystemExit as done:
        if done.code == INTERRUPTED:
            _fail("Stopped. The same command goes on where this one was.", INTERRUPTED)
        raise


def _fail(message: str, status: int) -> int:
    typer.secho(f"Error: {message}" if status == 2 else message, err=True, fg="red")
    return status
