"""Out of memory: the same work with fewer ads at a time."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from competition.utils.errors import ModelError

R = TypeVar("R")


def with_fewer(work: Callable[[int], R], most: int) -> tuple[R, int]:
    """Call `work` with the number of ads that go through a network together.

    Whenever memory runs out, the number is halved and `work` starts again: it must leave nothing
    behind that a second call would count twice.

    Parameters
    ----------
    work : callable
        From the most ads at a time to a result.
    most : int
        To begin with.

    Returns
    -------
    (result, int)
        What `work` returned, and the number that fitted.

    Raises
    ------
    ModelError
        If a single ad does not fit.
    """
    import torch

    while True:
        try:
            return work(most), most
        except torch.OutOfMemoryError as bad:
            if most == 1:
                raise ModelError(
                    f"A single ad does not fit into memory ({bad}). Make the network smaller, let "
                    "it read less of an ad, or use --device cpu."
                ) from bad
        # Not inside the handler, whose exception holds on to the tensors.
        most //= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def pieces(rows: np.ndarray, most: int) -> list[np.ndarray]:
    """Split rows into pieces of at most so many, in their order."""
    return [rows[start : start + most] for start in range(0, len(rows), most)]
