"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

HERE = Path()  # the current folder: where results go unless --out names another

Data = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of ads.")]
DataOption = Annotated[Path, typer.Option("--data", metavar="DIR", help="Folder of ads.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one value of the profile."),
]
Holdout = Annotated[
    float | None,
    typer.Option(
        "--holdout",
        metavar="SHARE",
        help="Hold this share of the training ads out of everything and score the stack on it.",
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
Device = Annotated[
    str, typer.Option("--device", help="Where networks run: auto, cpu, cuda, cuda:1, mps.")
]
Out = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Folder that receives the results.")
]
