"""Level-1 predictions as logits, made from probabilities when they are asked for.

A million ads, ten models and 82 tags make 3 GB. So predictions of that size stay where they are,
perhaps in a file that is mapped into memory, and are read a block of ads or a tag at a time.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from competition.utils.errors import ModelError

if TYPE_CHECKING:
    from competition.level2.base import StackInput

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
    """Return consecutive parts of `n_ads` ads."""
    for start in range(0, n_ads, BLOCK):
        yield slice(start, min(start + BLOCK, n_ads))


def enough(rows: np.ndarray) -> np.ndarray:
    """Return `rows`, or 100,000 of them at even distances if there are more."""
    if len(rows) <= ENOUGH:
        return rows
    return rows[np.linspace(0, len(rows) - 1, ENOUGH).astype(np.intp)]


class Logits:
    """Clipped logits of the level-1 probabilities, training ads first.

    Parameters
    ----------
    data : StackInput

    Attributes
    ----------
    n_train, n_ads : int
        Training ads, and all.
    n_models, n_tags : int

    Raises
    ------
    ModelError
        If a probability is not a number between 0 and 1.
    """

    def __init__(self, data: "StackInput") -> None:
        check_range(data)
        self._train, self._test = data.train, data.test
        self.n_train, self.n_models, self.n_tags = data.train.shape
        self.n_ads = self.n_train + len(data.test)
        self._kept: np.ndarray | None = None
        if self.n_ads * self.n_models * self.n_tags <= KEPT:
            self._kept = to_logits(np.concatenate([data.train, data.test]))

    def of_ads(self, ads: np.ndarray) -> np.ndarray:
        """Logits of some ads: (len(ads), n_models, n_tags), float32."""
        if self._kept is not None:
            return self._kept[ads]
        found = np.empty((len(ads), self.n_models, self.n_tags), dtype=np.float32)
        training = ads < self.n_train
        found[training] = self._train[ads[training]]
        found[~training] = self._test[ads[~training] - self.n_train]
        return to_logits(found)

    def of_tag(self, tag: int, ads: np.ndarray) -> np.ndarray:
        """Logits of some training ads for one tag: (len(ads), n_models), float32."""
        if self._kept is not None:
            return self._kept[ads, :, tag]
        return to_logits(self._train[ads, :, tag])

    def mean(self) -> np.ndarray:
        """Mean over the models: (n_ads, n_tags), float32."""
        found = np.empty((self.n_ads, self.n_tags), dtype=np.float32)
        for block in blocks(self.n_ads):
            found[block] = self.of_ads(np.arange(block.start, block.stop)).mean(axis=1)
        return found


def check_range(data: "StackInput") -> None:
    """Raise a ModelError if a level-1 probability is not a number between 0 and 1."""
    for where, values in (("training", data.train), ("test", data.test)):
        for block in blocks(len(values)):
            part = values[block]
            wrong = ~((part >= 0) & (part <= 1))
            if wrong.any():
                row, model, tag = (int(i) for i in np.argwhere(wrong)[0])
                raise ModelError(
                    f"The level-1 model {data.models[model]!r} predicts {part[wrong][0]} for tag "
                    f"number {tag} of {where} ad number {block.start + row} (both from 0); a "
                    "probability lies between 0 and 1. Fix the model and run it again."
                )
