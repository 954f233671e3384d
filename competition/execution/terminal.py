"""Keeping what other programs say off the terminal of a command."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_terminal() -> Iterator[None]:
    """Send away what is written as an error inside, by processes that are started there too."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
