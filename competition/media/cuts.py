"""Hard cuts of a film: the moments at which the whole picture changes."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

EVERY_MS = 125  # between two compared frames
SIDE = 32  # pixels on the shorter side of a compared frame
LEAST = 0.05  # smallest change at a cut
SURGE = 2.5  # smallest ratio of a cut to the changes around it, as motion and fades change all


def count_cuts(frames: Iterable[np.ndarray]) -> int:
    """Count the hard cuts between successive frames, sampled at `EVERY_MS` and scaled to `SIDE`.

    The change between two frames is the Wasserstein distance of their histograms of red, of green
    and of blue in each quarter of the picture, averaged: the share of the full range by which the
    values have moved. A cut is a change of at least 0.05 that is at least 2.5 times the mean of the
    two changes before it and the two after it.

    Parameters
    ----------
    frames : iterable of ndarray of shape (height, width, 3), dtype uint8
    """
    cumulated = map(_cumulated_histograms, frames)
    changes = np.array([np.abs(b - a).sum(axis=2).mean() / 255 for a, b in pairwise(cumulated)])
    padded = np.pad(changes, 2)
    around = (padded[:-4] + padded[1:-3] + padded[3:-1] + padded[4:]) / 4
    return int(np.count_nonzero((changes >= LEAST) & (changes >= SURGE * around)))


def _cumulated_histograms(frame: np.ndarray) -> np.ndarray:
    """Return the share of pixels up to each value, shape (4 quarters, 3 colours, 256 values)."""
    row, column = (n // 2 for n in frame.shape[:2])
    quarters = (
        frame[:row, :column],
        frame[:row, column:],
        frame[row:, :column],
        frame[row:, column:],
    )
    counts = np.array(
        [
            [np.bincount(quarter[..., colour].ravel(), minlength=256) for colour in range(3)]
            for quarter in quarters
        ]
    )
    return counts.cumsum(axis=2) / np.maximum(1, counts.sum(axis=2, keepdims=True))
