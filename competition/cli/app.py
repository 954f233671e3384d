"""The command line: parse, call, print; no logic.

Each command imports what it needs when it is called, so that ``--help`` answers at once.
"""

import errno
import sys
from pathlib import Path

import typer

from competition.cli.ablate import ablate
from competition.cli.benchmark import benchmark
from competition.cli.data import check, demo, extract, folds, init
from competition.cli.label_errors import label_errors
from competition.cli.ledger import ledger
from competition.cli.models import models, new_model
from competition.cli.oof import add_oof, oof
from competition.cli.report import report
from competition.cli.run import run, save, stack
from competition.cli.saved import describe, predict
from competition.cli.score import score
from competition.cli.serve import serve
from competition.cli.show import show
from competition.cli.tune import tune
from competition.utils.errors import CompetitionError
from competition.utils.extras import CUTTERS, EXTRAS, how_to_get
from competition.utils.processes import INTERRUPTED, TERMINATED, orderly_end

# Errors that come without a file's name where a disk, a quota or the memory is used up.
OF_THE_SYSTEM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENOMEM)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Stack models of text, pictures, sound and metadata to tag ads.",
)
for command in (
    *(run, stack, add_oof, tune, ablate),
    *(init, check, folds, extract, demo),
    *(save, predict, describe, serve),
    *(models, new_model, score, show, label_errors, report),
):
    app.command()(command)
app.add_typer(benchmark, name="benchmark")
app.add_typer(ledger, name="ledger")
app.add_typer(oof, name="oof")


def main() -> None:
    """Run the command line; a user's error is one message and exit status 2."""
    try:
        with orderly_end():
            _main()
    except SystemExit as done:
        if done.code in (INTERRUPTED, TERMINATED):
            _fail("Stopped. The same command goes on where this one was.", done.code)
        raise


def _main() -> None:
    try:
        app()
    except CompetitionError as error:
        sys.exit(_fail(str(error), 2))
    except OSError as error:
        if error.filename is None and error.errno not in OF_THE_SYSTEM:
            raise
        sys.exit(_fail(_explained(error), 2))
    except ModuleNotFoundError as bad:
        library = (bad.name or "").partition(".")[0]
        if library not in (*EXTRAS, *CUTTERS):
            raise
        sys.exit(_fail(how_to_get(library), 2))


def _explained(error: OSError) -> str:
    from competition.utils.files import why_not_written

    if error.filename is None:
        return f"{error.strerror}. Check the path, the rights and the space."
    path = Path(error.filename)
    return f"{path} cannot be used: {why_not_written(path, error)}"


def _fail(message: str, status: int) -> int:
    typer.secho(f"Error: {message}" if status == 2 else message, err=True, fg="red")
    return status
