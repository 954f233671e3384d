"""The words of a text, in any script.

Chinese is cut as jieba cuts it (default mode, with its hidden Markov model for unknown words), by
`rjieba`, a compiled segmenter with jieba's dictionary. Other scripts without spaces (kana, Thai,
Lao, Khmer, Burmese) are cut into pairs of characters. Emoji are words, and a hashtag is one beside
the words in it. Characters that nobody sees are left out.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from itertools import chain, pairwise
from pathlib import Path
from typing import Literal

from competition.text.visible import EMOJI, TONE, visible

Tokens = Literal["word", "char"]

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
# cut them. A text without any has no emoji, no combining marks and no invisible characters either.
_RARE = re.compile(
    r".?[^\x00-\xac\xae-\u02ff\u2010-\u2027\u2030-\u203a\u3001-\u3011\u4e00-\u9fff"
    r"\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f]+"
)


def _class_of(categories: str, *blocks: tuple[int, int]) -> str:
    """Return the characters of some Unicode categories as ranges, for a pattern's brackets."""
    ranges: list[list[int]] = []
    for code in chain.from_iterable(range(start, end + 1) for start, end in blocks):
        if unicodedata.category(chr(code))[0] in categories:
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"\\u{start:04x}-\\u{end:04x}" for start, end in ranges)


# Combining marks, such as the vowel signs of Hindi; they follow a letter of their word. Left out
# are those that frame a symbol (U+20D0 to U+20FF).
_MARKS = _class_of(
    "M", (0x300, 0x20CF), (0x2C80, 0x30FF), (0xA660, 0xABFF), (0xFB1E, 0xFB1E), (0xFE20, 0xFE2F)
)
# Kana, Thai, Lao, Burmese and Khmer.
_UNSPACED_BLOCKS = (
    (0x3041, 0x3096),
    (0x30A1, 0x30FA),
    (0x30FC, 0x30FF),
    (0x31F0, 0x31FF),
    (0x0E01, 0x0E4E),
    (0x0E81, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17D3),
    (0xA9E0, 0xA9FF),
    (0xAA60, 0xAA7F),
)
_UNSPACED = _class_of("L", *_UNSPACED_BLOCKS)
# Letters from Hebrew to Sinhala, and Tibetan. In a Chinese clause jieba takes them one by one.
_MARKED_SCRIPTS = _class_of("LM", (0x0591, 0x0DFF), (0x0F00, 0x0FFF))

_ONE_EMOJI = rf"(?:[\U0001f1e6-\U0001f1ff]{{2}}|[{EMOJI}][{TONE}]?(?:\u200d[{EMOJI}][{TONE}]?)*)"

_CHARACTER = re.compile(rf"[{_UNSPACED}][{_MARKS}]*")
_TORN = re.compile(
    rf"({_ONE_EMOJI}|(?:[{_UNSPACED}][{_MARKS}]*)+|[{_MARKED_SCRIPTS}]+(?:\.\d+)?%?)"
)
_MARKED_WORD = re.compile(rf"[^\W_](?:[^\W_]|[{_MARKS}])*(?:\.\d+)?%?")
_MARKED_RUN = re.compile(rf"{_ONE_EMOJI}|[^\W_](?:[^\W_]|[{_MARKS}])*")
_HASHTAG = re.compile(rf"(?<![\w&#/])#((?:\w|[{_MARKS}])+)")

# A hashtag among the pieces of a text: a full-width sign, which no normalised text holds, as jieba
# has pieces that start with a plain one.
_TAG = "＃"
_SPACE = " "


def tokenize(text: str, analyzer: Tokens) -> list[str]:
    """Return the tokens of a text, in order, lower-cased, without punctuation.

    Parameters
    ----------
    text : str
        Full-width letters and digits are read as their plain forms (Unicode NFKC).
    analyzer : {"word", "char"}
        ``"word"``: jieba's words where there is Chinese, pairs of characters in other scripts
        without spaces, runs of letters and digits elsewhere; each emoji; and after the words of a
        clause its hashtags. ``"char"``: characters, with a space at either end of each run of them.

    Examples
    --------
    >>> tokenize("点击视频下方链接|仅需9.9元!", "word")
    ['点击', '视频', '下方', '链接', '仅', '需', '9.9', '元']
    >>> tokenize("New #SummerSale 🔥", "word")
    ['new', 'summersale', '🔥', '#summersale']
    """
    return [
        token
        for segment in segments(text, analyzer)
        for piece in segment
        for token in tokens_of(piece, analyzer)
    ]


def segments(text: str, analyzer: Tokens) -> Iterator[list[str]]:
    """Yield the pieces of each segment of a text; no n-gram spans two segments."""
    is_rare = _RARE.search(text) is not None
    if is_rare:
        text = _normalized(text)
    if analyzer == "char":
        run = _MARKED_RUN if is_rare else _RUN
        for found in run.findall(text.lower()):
            yield [_SPACE, *found, _SPACE]
        return
    cut = _cut_rare if is_rare else _cut
    for segment in _BREAK.split(text):
        yield cut(segment)
        if "#" in segment:
            for tag in _HASHTAG.findall(segment):
                if any(map(str.isalpha, tag)):
                    yield [_TAG + tag]


def tokens_of(piece: str, analyzer: Tokens) -> list[str]:
    """Return the tokens of a piece; none if it is punctuation."""
    if analyzer == "char":
        return [piece]
    if piece[:1] == _TAG:
        return ["#" + piece[1:].lower()]
    if _TORN.fullmatch(piece):
        characters = _CHARACTER.findall(piece)
        pairs = [first + second for first, second in pairwise(characters)]
        return pairs or [piece.lower()]
    return [word.lower() for word in _split_ascii(piece) if _RUN.search(word)]


def _normalized(text: str) -> str:
    def plain(match: re.Match[str]) -> str:
        # Half a surrogate pair, which truncated JSON may hold, is no character: it is left out.
        return unicodedata.normalize("NFKC", match[0]).encode("utf-8", "ignore").decode("utf-8")

    return _RARE.sub(plain, visible(text))


def _cut(segment: str) -> list[str]:
    import rjieba

    return rjieba.cut(segment) if _CHINESE.search(segment) else _WORD.findall(segment)


def _cut_rare(segment: str) -> list[str]:
    """Cut a segment that may hold emoji, combining marks or scripts without spaces."""
    import rjieba

    def cut(part: str) -> list[str]:
        return rjieba.cut(part) if is_chinese else _MARKED_WORD.findall(part)

    is_chinese = _CHINESE.search(segment) is not None
    plain_and_torn = _TORN.split(segment)  # in turns
    return list(
        chain.from_iterable(
            [part] if n % 2 else cut(part) for n, part in enumerate(plain_and_torn) if part
        )
    )


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
