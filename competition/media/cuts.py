"""Hard cuts of a film: where the picture changes all at once."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

EVERY_MS = 125  # between the frames that are compared
SIDE = 32  # of these frames, in pixels
LEVELS = 4  # of red, green and blue in a histogram
LEAST = 0.4  # of the picture that changes its colours at a cut
SURGE = 3.0  # times the change around it: a cut stands out from motion and fades


def count_cuts(frames: Iterable[np.ndarray]) -> int:
    """Count the hard cuts between successive frames, made at `EVERY_MS` and `SIDE`.

    The change between two frames is half the L1 distance of their colour histograms (4 x 4 x 4
    bins of red, green and blue), taken in each quarter of the picture and averaged: from 0 for the
    same colours to 1 for no colour in common. A cut is a change of at least 0.4 that is three times
    as large as the mean of the two changes before and the two after it.

    Parameters
    ----------
    frames : iterable of ndarray of shape (height, width, 3), dtype uint8
    """
    histograms = map(_histograms, frames)
    changes = np.array([np.abs(b - a).sum() / 8 for a, b in pairwise(histograms)])
    if not len(changes):
        return 0
    padded = np.pad(changes, 2)
    around = (padded[:-4] + padded[1:-3] + padded[3:-1] + padded[4:]) / 4
    return int(np.count_nonzero((changes >= LEAST) & (changes >= SURGE * around)))


def _histograms(frame: np.ndarray) -> np.ndarray:
    """Shares of the colours in each quarter of a frame, shape (4, 64)."""
    bins = frame // (256 // LEVELS)
    colours = (bins[..., 0] * LEVELS + bins[..., 1]) * LEVELS + bins[..., 2]
    rows, columns = (max(1, n // 2) for n in colours.shape)
    quarters = (
        colours[:rows, :columns],
        colours[:rows, columns:],
        colours[rows:, :columns],
        colours[rows:, columns:],
    )
    return np.stack(
        [np.bincount(q.ravel(), minlength=LEVELS**3) / max(1, q.size) for q in quarters]
    )
