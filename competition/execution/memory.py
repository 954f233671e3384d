"""Out of memory: the same work with fewer ads at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from competition.utils.errors import ModelError, is_out_of_memory

if TYPE_CHECKING:
    from torch import Tensor

R = TypeVar("R")


class AtOnce:
    """How many ads go through a network together: halved whenever memory runs out.

    Parameters
    ----------
    most : int
        To begin with.
    what : str
        What is counted, where it is not ads.

    Attributes
    ----------
    most : int
        What fits, as far as is known.
    """

    def __init__(self, most: int, what: str = "ad") -> None:
        self.most = most
        self.what = what

    def again(self, work: Callable[[int], R], n: int | None = None) -> R:
        """Call `work` with the most at a time; it starts again with half whenever memory runs out.

        Parameters
        ----------
        work : callable
            It must leave nothing behind that a second call would count twice.
        n : int, optional
            How many there are, where that may be fewer.

        Raises
        ------
        ModelError
            If a single one does not fit.
        """
        import torch

        while True:
            try:
                return work(self.most)
            except RuntimeError as bad:
                if not is_out_of_memory(bad):
                    raise
                together = self.most if n is None else min(self.most, n)
                if together == 1:
                    reason = str(bad).strip().split("\n", 1)[0]
                    raise ModelError(
                        f"A single {self.what} does not fit into memory ({reason}). Choose a "
                        "smaller network, let it read less at once, or use --device cpu."
                    ) from bad
            # Not inside the handler, whose exception holds on to the tensors.
            self.most = together // 2
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def each(self, work: Callable[[Any], R], items: Any) -> Iterator[tuple[Any, R]]:
        """Call `work` with some of the items at a time, in their order; what is done is kept.

        Parameters
        ----------
        work : callable
        items : sequence or ndarray

        Yields
        ------
        (items, result)
            Some of them, and what `work` makes of these.
        """
        done = 0
        while done < len(items):
            left = items[done:]
            result = self.again(partial(_of_first, work, left), len(left))
            taken = left[: self.most]
            done += len(taken)
            yield taken, result

    def gradients(
        self, zero_grad: Callable[[], None], loss: Callable[[np.ndarray], Tensor], n: int
    ) -> None:
        """Leave the gradients of a mean loss over a batch, however many ads fit together.

        Parameters
        ----------
        zero_grad : callable
            Of the optimiser, or of the network.
        loss : callable
            From places in the batch to the mean loss there, forward pass included.
        n : int
            Ads of the batch.
        """

        def compute(most: int) -> None:
            zero_grad()
            for some in pieces(np.arange(n), most):
                (loss(some) * (len(some) / n)).backward()

        self.again(compute, n)


def _of_first(work: Callable[[Any], R], items: Any, most: int) -> R:
    return work(items[:most])


def pieces(rows: np.ndarray, most: int) -> list[np.ndarray]:
    """Split rows into pieces of at most so many, in their order."""
    return [rows[start : start + most] for start in range(0, len(rows), most)]
