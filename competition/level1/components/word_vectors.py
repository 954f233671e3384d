"""Words of an ad as FastText vectors (equations 7 and 8), those never met by their n-grams."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from competition.text.words import tokenize
from competition.utils.errors import ModelError
from competition.utils.files import written_whole

if TYPE_CHECKING:
    from gensim.models import FastText, KeyedVectors
    from gensim.models.fasttext import FastTextKeyedVectors

DIMS = 300
# Hashed n-grams of 3 to 6 characters; FastText's own two million would be 2.4 GB of numbers.
_BUCKETS = 50_000
_EPOCHS = 10


def first_words(text: str, most: int) -> list[str]:
    """At most the first `most` words of a text, such as OCR lines joined by ``|``."""
    return tokenize(text, "word")[:most]


def train_vectors(ads: Sequence[Sequence[str]], seed: int) -> FastTextKeyedVectors | None:
    """Train FastText (skip-gram) on the words of ads; None if there is no word.

    Parameters
    ----------
    ads : sequence of sequence of str
        The words of each ad.
    seed : int
        Same seed, same ads: same bytes, which is why one thread does it all.
    """
    model = _trained(ads, seed)
    return model.wv if model else None


def write_vectors(path: Path, ads: Sequence[Sequence[str]], seed: int) -> bool:
    """Train FastText as `train_vectors` does and write it in FastText's own form (.bin).

    Returns
    -------
    bool
        Whether there was any word; otherwise nothing is written.
    """
    from gensim.models.fasttext import save_facebook_model

    model = _trained(ads, seed)
    if model is not None:
        with written_whole(path) as temporary:
            save_facebook_model(model, str(temporary))
    return model is not None


def _trained(ads: Sequence[Sequence[str]], seed: int) -> FastText | None:
    from gensim.models import FastText

    sentences = [list(words) for words in ads if words]
    if not sentences:
        return None
    return FastText(
        sentences,
        vector_size=DIMS,
        sg=1,
        min_count=1,
        bucket=_BUCKETS,
        epochs=_EPOCHS,
        seed=seed,
        workers=1,
    )


@lru_cache(maxsize=1)
def load_vectors(path: str) -> KeyedVectors:
    """Load word vectors from a file.

    A name that ends in .bin is a model of FastText's, with the n-grams that make vectors of words
    it has never met. Any other file is text in word2vec's form: a word and its numbers on each
    line, as the .vec of FastText (whose first line counts words and dims) and GloVe have it; it
    knows no other word.

    Raises
    ------
    ModelError
        If there is no such file, or it is of neither form.
    """
    from gensim.models import KeyedVectors
    from gensim.models.fasttext import load_facebook_vectors

    file = Path(path).expanduser()
    if not file.is_file():
        raise ModelError(f"There is no file {file} with word vectors. Correct `vectors`.")
    try:
        if file.suffix == ".bin":
            return load_facebook_vectors(str(file))
        with file.open("rb") as lines:
            counted = len(lines.readline().split()) == 2
        return KeyedVectors.load_word2vec_format(
            str(file), binary=False, no_header=not counted, unicode_errors="replace"
        )
    except Exception as bad:  # gensim raises what the bytes happen to run into
        form = "FastText model with n-grams (.bin)" if file.suffix == ".bin" else "word2vec text"
        raise ModelError(
            f"{file} is no {form}: {type(bad).__name__}: {bad}. Point `vectors` to a FastText "
            "model (.bin) or to word vectors as text, or leave it empty."
        ) from bad


def embed(vectors: KeyedVectors, words: Sequence[str]) -> np.ndarray:
    """Vectors of words: (n_words, dims), float32; NaN where the file has none."""
    table = np.full((len(words), vectors.vector_size), np.nan, dtype=np.float32)
    for row, word in enumerate(words):
        if word in vectors:
            table[row] = vectors[word]
    return table
