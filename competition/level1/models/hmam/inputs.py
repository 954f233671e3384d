"""From the columns of a frame to what the network reads: an image, objects and words per ad."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

import numpy as np
import pandas as pd

from competition.level1.components.pooled_arrays import means_or_nan
from competition.level1.components.word_vectors import (
    embed,
    first_words,
    load_vectors,
    train_vectors,
)
from competition.utils.errors import ModelError

if TYPE_CHECKING:
    from gensim.models import KeyedVectors
    from torch import Tensor


class Sizes(NamedTuple):
    """Dims of an image, an object and a word; 0 where no training ad has any."""

    image: int
    objects: int
    words: int


class Ads(NamedTuple):
    """What is known of some ads.

    Attributes
    ----------
    image : ndarray of shape (n_ads, dims), dtype float32
        Standardised; zeros where missing.
    has_image : ndarray of shape (n_ads,), dtype bool
    objects : list of ndarray of shape (n_objects, dims)
        One per ad, as stored: standardised batch by batch. An ad may have none.
    words : list of ndarray of shape (n_words,), dtype int64
        One per ad: rows of `vectors`. An ad may have none.
    vocabulary : list of str
        The different words of these ads.
    vectors : ndarray of shape (len(vocabulary), dims), dtype float32
        Standardised.
    """

    image: np.ndarray
    has_image: np.ndarray
    objects: list[np.ndarray]
    words: list[np.ndarray]
    vocabulary: list[str]
    vectors: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """Ads that have an image, an object or a word: (n_ads,), bool."""
        n_others = [len(o) + len(w) for o, w in zip(self.objects, self.words, strict=True)]
        return self.has_image | (np.array(n_others, dtype=int) > 0)


class Batch(NamedTuple):
    """The ads of one step, padded to the most objects and words that one of them has."""

    image: Tensor  # (n_ads, dims)
    has_image: Tensor  # (n_ads,), bool
    objects: Tensor  # (n_ads, n_objects, dims)
    is_object: Tensor  # (n_ads, n_objects), bool
    words: Tensor  # (n_ads, n_words, dims)
    is_word: Tensor  # (n_ads, n_words), bool


@dataclass(frozen=True, eq=False)
class Standard:
    """Mean and standard deviation of each dimension over training ads."""

    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, arrays: Iterable[np.ndarray], dims: int) -> Standard:
        """Measure the rows of arrays of shape (n, dims), one array at a time; NaN is missing."""
        n, total, squares = (np.zeros(dims) for _ in range(3))
        for array in arrays:
            rows = array.astype(np.float64)
            n += np.isfinite(rows).sum(axis=0)
            total += np.nansum(rows, axis=0)
            squares += np.nansum(rows**2, axis=0)
        mean = total / np.maximum(n, 1)
        spread = np.sqrt(np.maximum(squares / np.maximum(n, 1) - mean**2, 0))
        spread[spread < 1e-6] = 1.0
        return cls(mean.astype(np.float32), spread.astype(np.float32))

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        return (rows.astype(np.float32) - self.mean) / self.spread


class Reader:
    """Reads an ad's image, objects and words from its columns.

    Columns that hold texts give the words. Of those that hold arrays, the one named `objects`
    gives the objects, one per row; the others give the image: the mean over the rows of each
    (one row for a picture, the frames of a film), side by side.

    Parameters
    ----------
    objects : str
    max_words : int
        Most words of a text; what follows is left out.
    vectors : str
        File of word vectors; "" trains FastText on the words of the training ads.
    random_state : int

    Attributes
    ----------
    sizes_ : Sizes
    """

    def __init__(self, objects: str, max_words: int, vectors: str, random_state: int) -> None:
        self.objects = objects
        self.max_words = max_words
        self.vectors = vectors
        self.random_state = random_state

    def fit(self, X: pd.DataFrame) -> Self:
        """Learn which column holds what, word vectors, means and standard deviations.

        Raises
        ------
        ModelError
            If a cell is neither a text nor an array, or `vectors` cannot be read.
        """
        kinds = {name: _kind(X[name]) for name in X.columns}
        self.texts_ = [name for name, kind in kinds.items() if kind == "text"]
        arrays = {name: _dims(X[name]) for name, kind in kinds.items() if kind == "array"}
        object_dims = arrays.pop(self.objects, 0)
        self.images_ = arrays

        image = self._image(X)
        self.image_standard_ = Standard.of([row[None] for row in image], image.shape[1])
        self.sizes_ = Sizes(image.shape[1], object_dims, 0)
        self.object_standard_ = Standard.of(self._objects(X), object_dims)

        words = self._words(X)
        vocabulary = sorted({word for ad in words for word in ad})
        self.trained_ = None if self.vectors else train_vectors(words, self.random_state)
        if vocabulary:
            table = embed(self._vectors(), vocabulary)
            self.word_standard_ = Standard.of([table], table.shape[1])
            self.sizes_ = self.sizes_._replace(words=table.shape[1])
        return self

    def read(self, X: pd.DataFrame) -> Ads:
        """Read ads with the columns of the training ads."""
        image = self._image(X)
        has_image = np.isfinite(image).any(axis=1)
        words = self._words(X) if self.sizes_.words else [[] for _ in range(len(X))]
        place: dict[str, int] = {}
        ids = [
            np.array([place.setdefault(word, len(place)) for word in ad], dtype=np.int64)
            for ad in words
        ]
        vectors = np.empty((0, self.sizes_.words), dtype=np.float32)
        if place:
            # A word that the vectors lack counts as the mean of the known ones.
            vectors = np.nan_to_num(self.word_standard_(embed(self._vectors(), list(place))))
        image = np.nan_to_num(self.image_standard_(image))
        return Ads(image, has_image, self._objects(X), ids, list(place), vectors)

    def batch(self, ads: Ads, rows: np.ndarray) -> Batch:
        """Put some ads side by side, padded with zeros."""
        import torch

        objects, is_object = _padded(
            [self.object_standard_(ads.objects[row]) for row in rows], self.sizes_.objects
        )
        words, is_word = _padded([ads.vectors[ads.words[row]] for row in rows], self.sizes_.words)
        arrays = (ads.image[rows], ads.has_image[rows], objects, is_object, words, is_word)
        return Batch(*(torch.from_numpy(array) for array in arrays))

    def _vectors(self) -> KeyedVectors:
        return load_vectors(self.vectors) if self.vectors else self.trained_

    def _image(self, X: pd.DataFrame) -> np.ndarray:
        """Means over rows, (n_ads, dims), float32; NaN where missing."""
        none = np.empty((len(X), 0), dtype=np.float32)
        means = [means_or_nan(X[name], dims) for name, dims in self.images_.items()]
        return np.concatenate([none, *means], axis=1)

    def _objects(self, X: pd.DataFrame) -> list[np.ndarray]:
        none = np.empty((0, self.sizes_.objects), dtype=np.float32)
        if not self.sizes_.objects:
            return [none] * len(X)
        return [cell if isinstance(cell, np.ndarray) else none for cell in X[self.objects]]

    def _words(self, X: pd.DataFrame) -> list[list[str]]:
        """Words of each ad, one text after the other."""
        columns = [X[name].tolist() for name in self.texts_]
        return [
            [
                word
                for cells in columns
                if isinstance(cells[row], str)
                for word in first_words(cells[row], self.max_words)
            ]
            for row in range(len(X))
        ]


def _kind(cells: pd.Series) -> Literal["text", "array", "missing"]:
    kinds: set[Literal["text", "array"]] = set()
    for ad, cell in cells.items():
        if isinstance(cell, str):
            kinds.add("text")
        elif isinstance(cell, np.ndarray) and cell.ndim == 2:
            kinds.add("array")
        elif not (pd.api.types.is_scalar(cell) and pd.isna(cell)):
            raise ModelError(
                f"Ad {ad!r}, column {cells.name!r}: hmam reads texts and arrays of shape "
                f"(time or regions, dims), not {type(cell).__name__}. Leave the column out of its "
                "inputs."
            )
    if len(kinds) > 1:
        raise ModelError(f"Column {cells.name!r} mixes texts and arrays. Give each its own column.")
    return kinds.pop() if kinds else "missing"


def _dims(cells: pd.Series) -> int:
    return next(cell.shape[1] for cell in cells if isinstance(cell, np.ndarray))


def _padded(arrays: list[np.ndarray], dims: int) -> tuple[np.ndarray, np.ndarray]:
    """Stack arrays of shape (n, dims); the second result is where there is something."""
    most = max((len(array) for array in arrays), default=0)
    padded = np.zeros((len(arrays), most, dims), dtype=np.float32)
    there = np.zeros((len(arrays), most), dtype=bool)
    for row, array in enumerate(arrays):
        padded[row, : len(array)] = array
        there[row, : len(array)] = True
    return padded, there
