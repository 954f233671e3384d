"""Words of an ad as FastText vectors (equations 7 and 8), those never met by their n-grams."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from competition.text.words import tokenize
from competition.utils.errors import ModelError

if TYPE_CHECKING:
    from gensim.models.fasttext import FastTextKeyedVectors

DIMS = 300
# Hashed n-grams of 3 to 6 characters; FastText's own two million would be 2.4 GB of numbers.
_BUCKETS = 50_000
_EPOCHS = 10


def first_words(text: str, most: int) -> list[str]:
    """At most the first `most` words of a text, such as OCR lines joined by ``|``."""
    return tokenize(text, "word")[:most]


def train_vectors(ads: Sequence[Sequence[str]], seed: int) -> FastTextKeyedVectors | None:
    """Train FastText (skip-gram) on the words of training ads; None if there is no word.

    Parameters
    ----------
    ads : sequence of sequence of str
        The words of each ad.
    seed : int
        Same seed, same ads: same bytes, which is why one thread does it all.
    """
    from gensim.models import FastText

    sentences = [list(words) for words in ads if words]
    if not sentences:
        return None
    model = FastText(
        sentences,
        vector_size=DIMS,
        sg=1,
        min_count=1,
        bucket=_BUCKETS,
        epochs=_EPOCHS,
        seed=seed,
        workers=1,
    )
    return model.wv


@lru_cache(maxsize=1)
def load_vectors(path: str) -> FastTextKeyedVectors:
    """Load vectors that Facebook's FastText has saved (.bin, with its n-grams).

    Raises
    ------
    ModelError
        If there is no such file, or it is no FastText model.
    """
    from gensim.models.fasttext import load_facebook_vectors

    file = Path(path).expanduser()
    if not file.is_file():
        raise ModelError(f"There is no file {file} with FastText vectors. Correct `vectors`.")
    try:
        return load_facebook_vectors(str(file))
    except Exception as bad:  # gensim raises what the bytes happen to run into
        raise ModelError(
            f"{file} is no FastText model with n-grams (.bin): {type(bad).__name__}: {bad}. "
            "Point `vectors` to one, or leave it empty."
        ) from bad


def embed(vectors: FastTextKeyedVectors, words: Sequence[str]) -> np.ndarray:
    """Vectors of words, known or not: (n_words, dims), float32."""
    table = np.empty((len(words), vectors.vector_size), dtype=np.float32)
    for row, word in enumerate(words):
        table[row] = vectors[word]
    return table
