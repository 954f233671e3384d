"""The command line: parse, call, print; no logic.

Each command imports what it needs when it is called, so that ``--help`` answers at once.
"""

import sys

import typer

from competition.cli.ablate import ablate
from competition.cli.benchmark import benchmark
from competition.cli.data import check, demo, extract, folds, init
from competition.cli.models import models, new_model
from competition.cli.run import add_oof, run, stack
from competition.cli.score import score
from competition.cli.tune import tune
from competition.utils.errors import CompetitionError
from competition.utils.extras import EXTRAS, how_to_get

INTERRUPTED = 130  # the exit status that typer gives Ctrl-C

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Stack models of text, pictures, sound and metadata to tag ads.",
)
for command in (
    *(run, stack, add_oof, tune, ablate),
    *(init, check, folds, extract, demo),
    *(models, new_model, score),
):
    app.command()(command)
app.add_typer(benchmark, name="benchmark")


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
    except ModuleNotFoundError as bad:
        if bad.name not in EXTRAS:
            raise
        sys.exit(_fail(how_to_get(bad.name), 2))
    except SystemExit as done:
        if done.code == INTERRUPTED:
            _fail("Stopped. The same command goes on where this one was.", INTERRUPTED)
        raise


def _fail(message: str, status: int) -> int:
    typer.secho(f"Error: {message}" if status == 2 else message, err=True, fg="red")
    return status
