"""Level-1 predictions as logits, made from probabilities where they are used.

A million ads, ten models and 82 tags make 3 GB. So predictions of that size stay where they are,
perhaps in a file that is mapped into memory, and are read a block of ads or a tag at a time.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from competition.level2.data import Ads

# A level-1 probability beyond this says little more about its ad, and a lot about its model.
PROBABILITY_FLOOR = 3e-3

# Ads that are worked on at a time where all of them together could be too much.
BLOCK = 16_384

# What is the same for all ads or all tags (means, spreads, shared weights) is learned from no more
# ads than this: beyond, it no longer changes.
ENOUGH = 100_000

# Logits of no more numbers than this (400 MB) are made once and kept.
KEPT = 100_000_000


def to_logits(probabilities: np.ndarray, floor: float = PROBABILITY_FLOOR) -> np.ndarray:
    """Logits of probabilities held to [floor, 1 - floor], float32."""
    clipped = np.clip(probabilities, np.float32(floor), np.float32(1 - floor))
    return np.log(clipped) - np.log1p(-clipped)


def blocks(n_ads: int) -> Iterator[slice]:
    """Return consecutive slices of `n_ads` ads."""
    for start in range(0, n_ads, BLOCK):
        yield slice(start, min(start + BLOCK, n_ads))


def enough(n_ads: int) -> np.ndarray:
    """Positions of `n_ads` ads, or of 100,000 of them at even distances if there are more."""
    if n_ads <= ENOUGH:
        return np.arange(n_ads)
    return np.linspace(0, n_ads - 1, ENOUGH).astype(np.intp)


class Logits:
    """Clipped logits of the level-1 probabilities of ads.

    Parameters
    ----------
    ads : Ads

    Attributes
    ----------
    n_ads, n_models, n_tags : int
    """

    def __init__(self, ads: "Ads") -> None:
        self._ads = ads
        self.n_ads, self.n_models, self.n_tags = ads.shape
        self._kept: np.ndarray | None = None
        if self.n_ads * self.n_models * self.n_tags <= KEPT:
            self._kept = to_logits(ads.probabilities)

    def of_ads(self, rows: np.ndarray) -> np.ndarray:
        """Logits of the ads at these positions: (n_rows, n_models, n_tags), float32."""
        if self._kept is not None:
            return self._kept[rows]
        return to_logits(self._ads.read(rows))

    def of_tag(self, tag: int, rows: np.ndarray) -> np.ndarray:
        """Logits of one tag for the ads at these positions: (n_rows, n_models), float32."""
        if self._kept is not None:
            return self._kept[rows, :, tag]
        return to_logits(self._ads.read_tag(tag, rows))

    def mean(self) -> np.ndarray:
        """Mean over the models: (n_ads, n_tags), float32."""
        found = np.empty((self.n_ads, self.n_tags), dtype=np.float32)
        for block in blocks(self.n_ads):
            found[block] = self.of_ads(np.arange(block.start, block.stop)).mean(axis=1)
        return found
