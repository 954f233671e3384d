"""Counted n-grams of a text: made once per ad, shared by all text models and folds.

A term depends on its own text alone (no vocabulary, no frequencies of other ads), so that counting
terms fits nothing. `competition.level1.components.text.TextVectorizer` selects terms later, from
training ads only. The words are those of `competition.text.words`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from typing import Annotated, Literal, get_args

import numpy as np
from pydantic import AfterValidator

from competition.text.words import Tokens, segments, tokens_of
from competition.utils.errors import ProfileError
from competition.utils.parameters import Count


def _ascending(lengths: tuple[int, int]) -> tuple[int, int]:
    if lengths[0] > lengths[1]:
        raise ValueError("the shortest n-gram comes first, like [1, 2]")
    return lengths


Analyzer = Literal["word", "char", "both"]
NgramRange = Annotated[tuple[Count, Count], AfterValidator(_ascending)]

DEFAULT_NGRAMS: dict[str, tuple[int, int]] = {"word": (1, 2), "char": (1, 3), "both": (3, 5)}


@dataclass(frozen=True)
class TermsSpec:
    """Which n-grams of a text are counted.

    Attributes
    ----------
    analyzer : {"word", "char", "both"}
        Words, or characters with a space before and after each run of them; or both, each text's
        words and pairs of words beside its n-grams of characters.
    ngram_range : tuple of int
        Shortest and longest n-gram; of both, those of characters.

    Raises
    ------
    ProfileError
        If the analyzer is unknown or the range is empty.
    """

    analyzer: Analyzer = "word"
    ngram_range: tuple[int, int] = (1, 2)

    def __post_init__(self) -> None:
        if self.analyzer not in get_args(Analyzer):
            raise ProfileError(
                f"There is no text analyzer {self.analyzer!r}. Set analyzer to 'word', 'char' or "
                "'both'."
            )
        bounds = tuple(self.ngram_range)
        if len(bounds) != 2 or not 1 <= bounds[0] <= bounds[1]:
            raise ProfileError(
                f"ngram_range is {self.ngram_range!r}. Set it to two whole numbers, the shortest "
                "and the longest n-gram, such as [1, 2]."
            )
        object.__setattr__(self, "ngram_range", bounds)  # a profile gives a list

    @classmethod
    def of(cls, analyzer: Analyzer, ngram_range: tuple[int, int] | None = None) -> "TermsSpec":
        """Make a spec with the default n-grams of `analyzer` where `ngram_range` is None."""
        return cls(analyzer, ngram_range or DEFAULT_NGRAMS.get(analyzer, (1, 1)))


class _PieceHashes(dict[str, tuple[int, ...]]):
    """64-bit hashes of the tokens of each piece, computed once; never 0, which marks a break."""

    def __init__(self, analyzer: Tokens) -> None:
        super().__init__()
        self._analyzer = analyzer

    def __missing__(self, piece: str) -> tuple[int, ...]:
        digests = (
            blake2b(token.encode(), digest_size=8).digest()
            for token in tokens_of(piece, self._analyzer)
        )
        self[piece] = hashes = tuple(int.from_bytes(d, "little") or 1 for d in digests)
        return hashes


def _extend(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Hash each (n-1)-gram with the token after it: a multiply and MurmurHash3's finaliser."""
    mixed = left * np.uint64(0x9E3779B97F4A7C15) + right
    mixed ^= mixed >> np.uint64(33)
    mixed *= np.uint64(0xFF51AFD7ED558CCD)
    mixed ^= mixed >> np.uint64(33)
    return mixed


def _count(tokens: np.ndarray, ngram_range: tuple[int, int]) -> np.ndarray:
    shortest, longest = ngram_range
    found = []
    grams, whole = tokens, tokens != 0
    for n in range(1, longest + 1):
        if n > 1:
            grams = _extend(grams[:-1], tokens[n - 1 :])
            whole = whole[:-1] & (tokens[n - 1 :] != 0)
        if n >= shortest:
            found.append(grams[whole])
        if len(grams) <= 1:
            break
    if not found:
        return np.empty((0, 2), dtype=np.int64)
    terms, counts = np.unique(np.concatenate(found).view(np.int64), return_counts=True)
    return np.column_stack([terms, counts])


def extract_terms(texts: Iterable[str], spec: TermsSpec) -> list[np.ndarray]:
    """Count the n-grams of each text.

    Returns
    -------
    list of ndarray of shape (n_terms, 2), dtype int64
        One per text: a 64-bit hash of each n-gram, ascending and unique, and its count.
        Hashes are the same on every machine and in every run. Two of a million n-grams share a
        hash with probability 3e-8.
    """
    if spec.analyzer == "both":
        texts = list(texts)
        words = _extract(texts, "word", DEFAULT_NGRAMS["word"])
        characters = _extract(texts, "char", spec.ngram_range)
        return [_together(pair) for pair in zip(words, characters, strict=True)]
    return _extract(texts, spec.analyzer, spec.ngram_range)


def _extract(
    texts: Iterable[str], tokens_are: Tokens, ngram_range: tuple[int, int]
) -> list[np.ndarray]:
    hashes = _PieceHashes(tokens_are)
    counted = []
    for text in texts:
        tokens: list[int] = []
        for segment in segments(text, tokens_are):
            tokens.extend(chain.from_iterable(map(hashes.__getitem__, segment)))
            tokens.append(0)
        counted.append(_count(np.array(tokens, dtype=np.uint64), ngram_range))
    return counted


def _together(pair: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Put the counts of words and of characters together.

    A Chinese word of one character is a token of both: what is the same n-gram is one term.
    """
    both = np.concatenate(pair)
    terms, places = np.unique(both[:, 0], return_inverse=True)
    counts = np.zeros(len(terms), dtype=np.int64)
    np.add.at(counts, places, both[:, 1])
    return np.column_stack([terms, counts])
