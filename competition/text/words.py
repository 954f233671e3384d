"""The words of a text, in any script.

Chinese is cut as jieba cuts it (default mode, with its hidden Markov model for unknown words), by
`rjieba`, a compiled segmenter with jieba's dictionary. Other scripts without spaces (Japanese,
Thai, Lao, Khmer, Burmese) are cut by the dictionaries of ICU. Emoji are words, and a hashtag is one
beside the words in it. Characters that nobody sees are left out.

A text whose kana are one in eight of its ideographs and kana is Japanese, and ICU cuts its
ideographs too. The whole text is looked at, as "送料無料！" has no kana of its own, and as OCR
reads kana into Chinese: up to 3% in 1,140 texts of TAAC 2021. In 30 sentences as Japanese ads have
them they are from 26% up. A の does not count: Chinese ads write it for 的.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Literal

from competition.text.visible import EMOJI, TONE, visible

Tokens = Literal["word", "char"]

# No n-gram spans two OCR fragments, ASR turns, sentences or clauses.
_BREAK = re.compile(r"[|\n。!！?？;；,，、:：]+|\.\s")
_HAN = r"\u3400-\u9fff\uf900-\ufaff"
_CHINESE = re.compile(f"[{_HAN}]")
_KANA = re.compile(r"[\u3041-\u306d\u306f-\u3096\u30a1-\u30fa\u30fc々]")  # all but の
_JAPANESE = 1 / 8  # share of kana
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
    r".?[^\x00-\xac\xae-\u02ff\u2010-\u2027\u2030-\u203a\u3001-\u3004\u3006-\u3011\u4e00-\u9fff"
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


def _torn(unspaced: str) -> re.Pattern[str]:
    """Pattern of what is torn out of a clause before jieba sees it."""
    marked = rf"[{_MARKED_SCRIPTS}]+(?:\.\d+)?%?"
    return re.compile(rf"({_ONE_EMOJI}|(?:[{unspaced}][{_MARKS}]*)+|{marked})")


_UNSPACED_JAPANESE = rf"{_UNSPACED}{_HAN}々〆〇"
_TORN, _TORN_JAPANESE = _torn(_UNSPACED), _torn(_UNSPACED_JAPANESE)
_RUN_FOR_ICU = re.compile(rf"[{_UNSPACED_JAPANESE}]")
_HAS_TOKEN = re.compile(rf"[^\W_]|{_ONE_EMOJI}")
_MARKED_WORD = re.compile(rf"[^\W_](?:[^\W_]|[{_MARKS}])*(?:\.\d+)?%?")
_MARKED_RUN = re.compile(rf"{_ONE_EMOJI}|[^\W_](?:[^\W_]|[{_MARKS}])*")
_HASHTAG = re.compile(rf"(?<![\w&#/])#((?:\w|[{_MARKS}])+)")

# What stretches a word of Arabic, or marks vowels in Arabic and Hebrew: the word is the same.
_UNREAD = re.compile(r"[\u05b0-\u05bd\u05bf\u05c1\u05c2\u05c7\u0640\u064b-\u0652]")

# The Thai and Lao vowel am, which NFKC takes apart and ICU's dictionaries have whole.
_AM = re.compile(r"[\u0e4d\u0ecd]([\u0e48-\u0e4b\u0ec8-\u0ecb]?)([\u0e32\u0eb2])")

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
        ``"word"``: jieba's words where there is Chinese, ICU's in other scripts without spaces,
        runs of letters and digits elsewhere; each emoji; and after the words of a clause its
        hashtags. ``"char"``: characters, with a space at either end of each run of them.

    Raises
    ------
    ModuleNotFoundError
        If a library that cuts this text is not installed.

    Examples
    --------
    >>> tokenize("点击视频下方链接|仅需9.9元!", "word")
    ['点击', '视频', '下方', '链接', '仅', '需', '9.9', '元']
    >>> tokenize("秋の新作ワンピース", "word")
    ['秋', 'の', '新作', 'ワンピース']
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
    torn = _TORN_JAPANESE if is_rare and _is_japanese(text) else _TORN
    for segment in _BREAK.split(text):
        yield _cut_rare(segment, torn) if is_rare else _cut(segment)
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
    return [word.lower() for word in _split_ascii(piece) if _HAS_TOKEN.search(word)]


def _normalized(text: str) -> str:
    def plain(match: re.Match[str]) -> str:
        # Half a surrogate pair, which truncated JSON may hold, is no character: it is left out.
        found = unicodedata.normalize("NFKC", match[0]).encode("utf-8", "ignore").decode("utf-8")
        return _AM.sub(lambda am: am[1] + chr(ord(am[2]) + 1), _UNREAD.sub("", found))

    return _RARE.sub(plain, visible(text))


def _is_japanese(text: str) -> bool:
    kana = len(_KANA.findall(text))
    return kana > 0 and kana >= _JAPANESE * (kana + len(_CHINESE.findall(text)))


def _cut(segment: str) -> list[str]:
    return _cut_chinese(segment) if _CHINESE.search(segment) else _WORD.findall(segment)


def _cut_rare(segment: str, torn: re.Pattern[str]) -> list[str]:
    """Cut a segment that may hold emoji, combining marks or scripts without spaces."""
    plain_and_torn = torn.split(segment)  # in turns
    is_chinese = any(map(_CHINESE.search, plain_and_torn[::2]))
    cut = _cut_chinese if is_chinese else _MARKED_WORD.findall
    return list(
        chain.from_iterable(
            _cut_torn(part) if n % 2 else cut(part) for n, part in enumerate(plain_and_torn) if part
        )
    )


def _cut_torn(part: str) -> Iterable[str]:
    if not _RUN_FOR_ICU.match(part):
        return [part]
    from icu4py.breakers import WordBreaker

    return WordBreaker(part, "root")


def _cut_chinese(part: str) -> list[str]:
    import rjieba

    return rjieba.cut(part)


@lru_cache(maxsize=1)
def _ascii_words() -> frozenset[str]:
    """Return the words of jieba's dictionary that are pure ASCII (C++, AT&T, ...)."""
    spec = find_spec("jieba")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("No module named 'jieba'", name="jieba")
    dictionary = (Path(spec.origin).parent / "dict.txt").read_bytes()
    words = re.findall(rb"^([\x21-\x7e]+) [1-9]", dictionary, flags=re.MULTILINE)
    return frozenset(word.decode("ascii") for word in words)


def _split_ascii(piece: str) -> list[str]:
    """Split a piece of ASCII that `rjieba` leaves whole and jieba does not ("xiaoe-tech.com")."""
    if len(piece) > 1 and _ASCII_PIECE.fullmatch(piece) and piece not in _ascii_words():
        return [word for word in _ASCII_SPLIT.split(piece) if word]
    return [piece]
