"""List what can be run; write a model to start from."""

from pathlib import Path
from typing import Annotated

import typer


def models(
    pattern: Annotated[str, typer.Argument(help="Like 'tfidf_*'.")] = "*",
) -> None:
    """List extractors, level-1 models and meta-learners with their inputs and parameters."""
    from competition.report.tables import print_models

    print_models(pattern)


def new_model(
    name: Annotated[str, typer.Argument(help="A new name, like my_model.")],
) -> None:
    """Write a working level-1 model to start from, and its test."""
    from competition.level1.template import write_template

    new = write_template(name, Path.cwd())
    typer.echo(f"wrote {new.model}")
    typer.echo(f"wrote {new.test}")
    typer.echo(new.usage)
