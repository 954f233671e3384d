"""Very long or very wide pictures in overlapping pieces, so that OCR need not shrink them."""

from itertools import pairwise
from typing import NamedTuple

ASPECT = 3  # a longer picture is cut


class Piece(NamedTuple):
    """A piece of a picture along its longer side; all numbers are pixels along it.

    Attributes
    ----------
    start, end : int
        Where the piece starts and ends.
    first, last : float
        Lines whose middle lies between these belong to the piece. Neighbours overlap by more than
        that, so that each line lies whole in its piece.
    """

    start: int
    end: int
    first: float
    last: float


def pieces(longer: int, shorter: int, at_least: int) -> list[Piece]:
    """Cut a picture into pieces that are twice as long as wide, and at least `at_least` pixels.

    Pieces overlap by a quarter of their length or more. A picture of no more than `at_least`
    pixels, or not `ASPECT` times as long as wide, stays whole.

    Parameters
    ----------
    longer, shorter : int
        Pixels of the picture's sides.
    at_least : int

    Examples
    --------
    >>> [(piece.start, piece.end) for piece in pieces(4_000, 750, 960)]
    [(0, 1500), (833, 2333), (1667, 3167), (2500, 4000)]
    """
    length = max(at_least, 2 * shorter)
    if longer <= at_least or longer <= ASPECT * shorter:
        return [Piece(0, longer, 0, longer)]
    overlap = length // 4
    n_steps = -(-(longer - length) // (length - overlap))
    starts = [round(i * (longer - length) / n_steps) for i in range(n_steps + 1)]
    # Two pieces may place one line some pixels apart: it is better read twice than never.
    margin = overlap / 8
    middles = [(start + length + following) / 2 for start, following in pairwise(starts)]
    return [
        Piece(start, start + length, first - margin, last + margin)
        for start, first, last in zip(starts, [0, *middles], [*middles, longer], strict=True)
    ]
