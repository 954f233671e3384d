"""Calls of the command line in this process: the same parser, code and exit status."""

import contextlib
import io
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from competition.cli.app import main

WIDTH = 160  # columns of the tables


@dataclass(frozen=True)
class Called:
    """What a command leaves on the terminal."""

    status: int
    out: str
    err: str

    def row(self, name: str) -> list[str]:
        """Cells of the first table row whose first cell is `name`."""
        for line in self.out.splitlines():
            cells = [cell.strip() for cell in re.split(r"[│┃]| \| ", line.strip("│┃ "))]
            if cells[0] == name:
                return cells
        raise AssertionError(f"no row {name!r} in:\n{self.out}")

    def line(self, start: str) -> str:
        """Return the rest of the one line that begins so."""
        (found,) = [line for line in self.out.splitlines() if line.startswith(start)]
        return found.removeprefix(start)


def called(*arguments: object, cwd: Path | None = None) -> Called:
    """Call a command, from a folder."""
    from competition.report.tables import console

    out, err = io.StringIO(), io.StringIO()
    with (
        patch.object(sys, "argv", ["competition", *map(str, arguments)]),
        patch.object(console, "_width", WIDTH),
        contextlib.chdir(cwd or Path.cwd()),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
    return Called(status, out.getvalue(), err.getvalue())


def call(*arguments: object, cwd: Path | None = None) -> Called:
    """Call a command that succeeds."""
    done = called(*arguments, cwd=cwd)
    assert done.status == 0, f"{arguments}\n{done.out}\n{done.err}"
    return done
