"""Counted n-grams of a text: made once per ad, shared by all text models and folds.

A term depends on its own text alone (no vocabulary, no frequencies of other ads), so that counting
terms fits nothing. `competition.level1.components.text.TextVectorizer` selects terms later, from
training ads only.

Chinese is cut as jieba cuts it (default mode, with its hidden Markov model for unknown words), by
`rjieba`, a compiled segmenter with jieba's dictionary.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal, get_args

import numpy as np
from pydantic import AfterValidator

from competition.utils.errors import ProfileError
from competition.utils.parameters import Count

Analyzer = Literal["word", "char"]


def _ascending(lengths: tuple[int, int]) -> tuple[int, int]:
    if lengths[0] > lengths[1]:
        raise ValueError("the shortest n-gram comes first, like [1, 2]")
    return lengths


NgramRange = Annotated[tuple[Count, Count], AfterValidator(_ascending)]

DEFAULT_NGRAMS: dict[str, tuple[int, int]] = {"word": (1, 2), "char": (1, 3)}

# No n-gram spans two OCR fragments, ASR turns, sentences or clauses.
_BREAK = re.compile(r"[|\n。!！?？;；,，、:：]+|\.\s")
_CHINESE = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"[^\W_]+(?:\.\d+)?%?")
_RUN = re.compile(r"[^\W_]+")

# Two patterns of jieba: the pieces that it looks up in its dictionary, and how it splits a piece of
# ASCII that is not in the dictionary.
_ASCII_PIECE = re.compile(r"[a-zA-Z0-9+#&._%\-]+")
_ASCII_SPLIT = re.compile(r"([a-zA-Z0-9]+(?:\.\d+)?%?)")

# Characters to normalise: neither Latin nor a common ideograph or punctuation mark, with the
# character before them, which they may combine with. To normalise whole texts takes as long as to
# cut them.
_RARE = re.compile(
    r".?[^\x00-\u02ff\u2010-\u203a\u3001-\u3011\u4e00-\u9fff"
    r"\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f]+"
)

_SPACE = " "


@dataclass(frozen=True)
class TermsSpec:
    """Which n-grams of a text are counted.

    Attributes
    ----------
    analyzer : {"word", "char"}
        Words, or characters with a space before and after each run of them.
    ngram_range : tuple of int
        Shortest and longest n-gram.

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
                f"There is no text analyzer {self.analyzer!r}. Set analyzer to 'word' or 'char'."
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


@lru_cache(maxsize=1)
def _ascii_words() -> frozenset[str]:
    """Return the words of jieba's dictionary that are pure ASCII (C++, AT&T, ...)."""
    spec = find_spec("jieba")
    if spec is None or spec.origin is None:
        raise ImportError(
            "jieba is not installed, and its dictionary is needed to cut Chinese: pip install jieba"
        )
    dictionary = (Path(spec.origin).parent / "dict.txt").read_bytes()
    words = re.findall(rb"^([\x21-\x7e]+) [1-9]", dictionary, flags=re.MULTILINE)
    return frozenset(word.decode("ascii") for word in words)


def _split_ascii(piece: str) -> list[str]:
    """Split a piece of ASCII that `rjieba` leaves whole and jieba does not ("xiaoe-tech.com")."""
    if len(piece) > 1 and _ASCII_PIECE.fullmatch(piece) and piece not in _ascii_words():
        return [word for word in _ASCII_SPLIT.split(piece) if word]
    return [piece]


def _normalized(text: str) -> str:
    def plain(match: re.Match[str]) -> str:
        # Half a surrogate pair, which truncated JSON may hold, is no character: it is left out.
        return unicodedata.normalize("NFKC", match[0]).encode("utf-8", "ignore").decode("utf-8")

    return _RARE.sub(plain, text)


def _segments(text: str, analyzer: Analyzer) -> Iterator[list[str]]:
    """Yield the pieces of each segment of a text; no n-gram spans two segments."""
    text = _normalized(text)
    if analyzer == "char":
        for run in _RUN.findall(text.lower()):
            yield [_SPACE, *run, _SPACE]
        return
    import rjieba

    for segment in _BREAK.split(text):
        yield rjieba.cut(segment) if _CHINESE.search(segment) else _WORD.findall(segment)


def _tokens(piece: str, analyzer: Analyzer) -> list[str]:
    """Return the tokens of a piece; none if it is punctuation."""
    if analyzer == "char":
        return [piece]
    return [word.lower() for word in _split_ascii(piece) if _RUN.search(word)]


def tokenize(text: str, analyzer: Analyzer) -> list[str]:
    """Return the tokens of a text, in order, lower-cased, without punctuation.

    Parameters
    ----------
    text : str
        Full-width letters and digits are read as their plain forms (Unicode NFKC).
    analyzer : {"word", "char"}
        ``"word"``: jieba's words where there is Chinese, runs of letters and digits elsewhere.
        ``"char"``: characters, with a space at either end of each run of them.

    Examples
    --------
    >>> tokenize("点击视频下方链接|仅需9.9元!", "word")
    ['点击', '视频', '下方', '链接', '仅', '需', '9.9', '元']
    """
    return [
        token
        for segment in _segments(text, analyzer)
        for piece in segment
        for token in _tokens(piece, analyzer)
    ]


class _PieceHashes(dict[str, tuple[int, ...]]):
    """64-bit hashes of the tokens of each piece, computed once; never 0, which marks a break."""

    def __init__(self, analyzer: Analyzer) -> None:
        super().__init__()
        self._analyzer = analyzer

    def __missing__(self, piece: str) -> tuple[int, ...]:
        digests = (
            blake2b(token.encode(), digest_size=8).digest()
            for token in _tokens(piece, self._analyzer)
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
    hashes = _PieceHashes(spec.analyzer)
    counted = []
    for text in texts:
        tokens: list[int] = []
        for segment in _segments(text, spec.analyzer):
            tokens.extend(chain.from_iterable(map(hashes.__getitem__, segment)))
            tokens.append(0)
        counted.append(_count(np.array(tokens, dtype=np.uint64), spec.ngram_range))
    return counted
