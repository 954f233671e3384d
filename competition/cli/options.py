"""Arguments and options that several commands share."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

HERE = Path()  # the current folder: where results go unless --out names another

Data = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of ads, or s3://BUCKET/FOLDER.")]
DataOption = Annotated[
    Path, typer.Option("--data", metavar="DIR", help="Folder of ads, or s3://BUCKET/FOLDER.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one value of the profile."),
]


def share_or_file(text: str) -> float | Path:
    """Read a share of the ads as a number; anything else is the path of a file that lists them."""
    try:
        return float(text)
    except ValueError:
        return Path(text)


Holdout = Annotated[
    Any,
    typer.Option(
        "--holdout",
        metavar="SHARE|FILE",
        parser=share_or_file,
        help="Hold this share of the training ads, or those that a val.txt of the TAAC baseline "
        "lists, out of everything and score the stack on them.",
    ),
]
Like = Annotated[
    Path | None,
    typer.Option(
        "--like",
        metavar="FILE",
        help="The competition's sample submission: the file takes its header, rows and form.",
    ),
]
Metric = Annotated[
    str | None,
    typer.Option(
        "--metric",
        metavar="NAME",
        help="What is to be best: gap (the default), map, f1, or your own function of labels and "
        "scores, as module:function.",
    ),
]
Quality = Annotated[
    Literal["fast", "default", "best"] | None,
    typer.Option(
        "--quality",
        help="fast: the models and meta-learners that are cheap; best: all meta-learners, and "
        "three copies of each model that draws random numbers.",
    ),
]
TimeLimit = Annotated[
    str | None,
    typer.Option(
        "--time-limit",
        metavar="TIME",
        help="End in about this time, like 90s, 20m or 1.5h: what does not fit is left out.",
    ),
]
Device = Annotated[
    str, typer.Option("--device", help="Where networks run: auto, cpu, cuda, cuda:1, mps.")
]
On = Annotated[
    str,
    typer.Option(
        "--on",
        metavar="ENGINE",
        help="Where tasks run: local; ray, the cluster at RAY_ADDRESS or one started here; slurm, "
        "its queue; slurm:local, as jobs of this machine.",
    ),
]
Out = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Folder that receives the results.")
]


def with_metric(overrides: list[str] | None, metric: str | None) -> list[str]:
    """Return overrides that set the metric too, where one is given."""
    return with_options(overrides, metric=metric)


def with_options(overrides: list[str] | None, **given: str | None) -> list[str]:
    """Return overrides that set keys of the names of options too, where these are given."""
    more = [f"{key}={json.dumps(value)}" for key, value in given.items() if value is not None]
    return [*(overrides or []), *more]
