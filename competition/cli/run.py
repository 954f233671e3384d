"""Run a profile, stack what is stored."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from competition.cli.options import (
    HERE,
    DataOption,
    Device,
    Holdout,
    Like,
    Metric,
    On,
    Out,
    Overrides,
    Quality,
    TimeLimit,
    with_metric,
    with_options,
)
from competition.cli.page import write_page_at_end
from competition.cli.plan import print_plan

Jobs = Annotated[
    int | None,
    typer.Option("--jobs", min=1, help="(model, fold) tasks at a time (default: one a core)."),
]
WithCheckpoints = Annotated[
    bool,
    typer.Option("--with-checkpoints", help="Copy the encoders of features into the saved stack."),
]
MaxMs = Annotated[
    float | None,
    typer.Option(
        "--max-ms-per-ad",
        min=0.001,
        help="With --save: drop models until an ad takes no longer on this machine.",
    ),
]
MaxMb = Annotated[
    float | None,
    typer.Option("--max-mb", min=0.001, help="With --save: drop models until it is no larger."),
]
Keep = Annotated[
    Literal["folds", "refit"] | None,
    typer.Option(
        "--keep",
        help="What is saved: the models of every fold (the default), or each fitted once more on "
        "all ads, five times smaller and faster.",
    ),
]
Distil = Annotated[
    bool,
    typer.Option(
        "--distil",
        help="With --save: save one small network that imitates the stack, over texts, metadata, "
        "arrays and features without a neural network.",
    ),
]
Decide = Annotated[
    str | None,
    typer.Option(
        "--decide",
        metavar="RULE",
        help="How the saved stack sets tags: f1 (the default), precision=0.9 or tags=3.",
    ),
]


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
            help="demo, text, posters, clips, taac2021, or the path of your own .toml "
            "(default: demo without --data, else text).",
        ),
    ] = None,
    overrides: Overrides = None,
    out: Out = HERE,
    own_folds: Annotated[
        Path | None,
        typer.Option(
            "--folds",
            metavar="FILE",
            help="Your own folds.csv (id,fold), or the folder of the TAAC baseline's train.txt and "
            "val.txt.",
        ),
    ] = None,
    jobs: Jobs = None,
    holdout: Holdout = None,
    like: Like = None,
    metric: Metric = None,
    quality: Quality = None,
    time_limit: TimeLimit = None,
    plan: Annotated[
        bool,
        typer.Option(
            "--plan",
            help="Run nothing: say what would run, what is stored, how long it may take and how "
            "much memory.",
        ),
    ] = False,
    device: Device = "auto",
    on: On = "local",
    save: Annotated[
        Path | None,
        typer.Option(
            "--save",
            metavar="FOLDER",
            help="Save the stack, to tag new ads with `predict`; models that were not kept are "
            "fitted again.",
        ),
    ] = None,
    with_checkpoints: WithCheckpoints = False,
    keep: Keep = None,
    decide: Decide = None,
    max_ms: MaxMs = None,
    max_mb: MaxMb = None,
    distil: Distil = False,
) -> None:
    """Run every stage: folds, features, OOF predictions, stack, scores, submission."""
    from competition.config.profile import load_profile
    from competition.pipeline import run as pipeline
    from competition.report.notes import notes_of
    from competition.report.progress import ProgressBars
    from competition.report.tables import console, print_run

    settings = load_profile(
        profile or ("text" if data else "demo"),
        with_options(overrides, metric=metric, quality=quality, time_limit=time_limit),
    )
    if plan:
        print_plan(data, settings, out, jobs, own_folds, holdout, device, on)
        return
    before_training = None
    if save is not None:
        from competition.evaluation.thresholds import Decision
        from competition.saved.early import refusing
        from competition.saved.place import check_target

        check_target(save)
        Decision.parse(decide or "f1")
        before_training = refusing(decide or "f1", distil=distil)
    elif (
        with_checkpoints or distil or any(one is not None for one in (keep, decide, max_ms, max_mb))
    ):
        raise typer.BadParameter(
            "--with-checkpoints, --keep, --decide, --max-ms-per-ad, --max-mb and --distil go with "
            "--save."
        )
    if distil and (with_checkpoints or any(one is not None for one in (keep, max_ms, max_mb))):
        raise typer.BadParameter(
            "--distil saves one small network that needs no checkpoint, fitted on all ads: give it "
            "without --with-checkpoints, --keep, --max-ms-per-ad and --max-mb."
        )
    with ProgressBars(console) as progress:
        if data is None:
            from competition.demo.make import make_demo
            from competition.pipeline.context import demo_folder

            data = demo_folder(out)
            make_demo(data, n_jobs=jobs, progress=progress)
        result = pipeline.run(
            data,
            settings,
            out,
            n_jobs=jobs,
            own_folds=own_folds,
            holdout=holdout,
            like=like,
            device=device,
            on=on,
            keep=(keep or "folds") if save is not None and not distil else None,
            before_training=before_training,
            progress=progress,
        )
        if save is not None and distil:
            from competition.saved.distil import save_distilled

            saved, manifest = save_distilled(result, save, decide=decide or "f1")
        elif save is not None:
            from competition.saved.budget import Budget
            from competition.saved.lean import save_within

            saved, manifest = save_within(
                result,
                save,
                Budget(max_ms, max_mb),
                with_checkpoints=with_checkpoints,
                keep=keep or "folds",
                decide=decide or "f1",
            )
    print_run(result)
    settings = result.context.profile  # without what its quality or time limit leaves out
    notes = notes_of(settings, result.extractions)
    write_page_at_end(result.dataset, out, notes=notes, settings=settings, jobs=jobs)
    if save is not None:
        from competition.report.saved import print_distillation, print_way
        from competition.saved.place import what_stays

        print_way(manifest)
        print_distillation(manifest)
        typer.echo(f"{saved} holds the stack: `python -m competition predict {saved} --data DIR`.")
        if saved != save:
            typer.echo(what_stays(save, saved))


def save(
    to: Annotated[Path, typer.Argument(metavar="FOLDER", help="Receives the saved stack.")],
    data: DataOption,
    profile: Annotated[
        str, typer.Option("--profile", metavar="NAME", help="The profile of the run.")
    ] = "text",
    overrides: Overrides = None,
    out: Out = HERE,
    jobs: Jobs = None,
    metric: Metric = None,
    quality: Quality = None,
    time_limit: TimeLimit = None,
    device: Device = "auto",
    with_checkpoints: WithCheckpoints = False,
    keep: Keep = None,
    decide: Decide = None,
    max_ms: MaxMs = None,
    max_mb: MaxMb = None,
    distil: Distil = False,
) -> None:
    """Save the stack of a run; the same as `run --save FOLDER`."""
    run(
        data,
        profile,
        overrides,
        out,
        jobs=jobs,
        metric=metric,
        quality=quality,
        time_limit=time_limit,
        device=device,
        save=to,
        with_checkpoints=with_checkpoints,
        keep=keep,
        decide=decide,
        max_ms=max_ms,
        max_mb=max_mb,
        distil=distil,
    )


def stack(
    data: DataOption,
    out: Out = HERE,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Like level2.dnn.seeds=3, level2.metadata, seed."
        ),
    ] = None,
    holdout: Holdout = None,
    like: Like = None,
    metric: Metric = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", metavar="NAME", help="Stack these models alone; patterns like 'm1*' too."
        ),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", metavar="NAME", help="Stack without these; patterns too."),
    ] = None,
    on: On = "local",
) -> None:
    """Stack all stored level-1 models with the best meta-learner; write a submission."""
    from competition.config.profile import load_stack_settings
    from competition.pipeline import stack as stacking
    from competition.report.progress import ProgressBars
    from competition.report.tables import console, print_stack

    settings = load_stack_settings(with_metric(overrides, metric))
    with ProgressBars(console) as progress:
        result = stacking.stack(
            data,
            settings,
            out,
            holdout=holdout,
            like=like,
            only=only or (),
            without=without or (),
            on=on,
            progress=progress,
        )
    print_stack(result)
    write_page_at_end(result.dataset, out)
