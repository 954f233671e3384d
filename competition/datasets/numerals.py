"""Numbers as people write them: with decimal commas, thousands, currencies and percent signs."""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

_CURRENCY_NAME = (
    "usd|eur|gbp|cny|rmb|jpy|inr|krw|brl|chf|cad|aud|nzd|hkd|sgd|twd|rub|try|mxn|zar|sek|nok|dkk|"
    r"pln|czk|huf|idr|thb|vnd|aed|sar|ils|kr\.?|kč|zł|ft|lei|rs\.?|руб\.?|грн\.?|元|円|원"
)
_SIGN = rf"(?:[a-z]{{0,3}}\$|[¢-¥₠-⃀]|{_CURRENCY_NAME})"  # $ with a country, such as US$
_CURRENCY = re.compile(rf"^{_SIGN}\s*(?=[\d.,+-])|(?<=[\d.,])\s*{_SIGN}$", re.IGNORECASE)
_SPACES = re.compile(r"(?<=\d)[ '’_](?=\d{3}(?!\d))")  # thousands; NFKC has made spaces plain
_MULTIPLES = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "bn": 1e9, "万": 1e4, "亿": 1e8}
_MULTIPLE = re.compile(rf"(?<=[\d.,])\s?({'|'.join(_MULTIPLES)})$")
# A point for decimals and commas for thousands (in India for lakhs), or the other way round. No
# number of thousands begins with 0: 0,125 has a decimal comma.
_POINT = re.compile(
    r"[+-]?(?:[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d?(?:,\d{2})+,\d{3}|\d+)?(?:\.\d*)?(?:[eE][+-]?\d+)?"
)
_COMMA = re.compile(r"[+-]?(?:[1-9]\d{0,2}(?:\.\d{3})+|\d+)?(?:,\d*)?(?:[eE][+-]?\d+)?")
_WITH_UNIT = re.compile(r"[+-]?\d[\d.,'’_ ]*[^\W\d_]{1,6}\.?")


@dataclass(frozen=True, eq=False)
class Numerals:
    """What the distinct cells of a column say as numbers.

    Attributes
    ----------
    values : Series of float64
        NaN where a cell is no number.
    traits : dict of str to int
        How many cells have what a plain number has not ("decimal commas", "percent signs", ...).
    mark : {".", ","}
        The mark of decimals.
    """

    values: pd.Series
    traits: dict[str, int]
    mark: str


def plain_numbers(cells: pd.Series) -> pd.Series:
    """Return cells as float64, NaN where they are no plain, finite number."""
    numbers = pd.to_numeric(cells, errors="coerce").astype("float64")
    return numbers.where(np.isfinite(numbers))


def read_numerals(words: pd.Series, counts: np.ndarray, mark: str = "") -> Numerals:
    """Read plain and decorated numbers; one mark of decimals, comma or point, for the column.

    Parameters
    ----------
    words : Series of str
        The distinct cells.
    counts : ndarray of shape (n_words,)
        How often each stands.
    mark : {"", ".", ","}
        The mark of decimals, where it is known.

    Where it is not, the mark is the one by which more cells are numbers, and the point where as
    many are: ``12.345`` is 12345 beside ``1.234.567``, and ``1,234`` is 1.234 beside ``0,125``.
    """
    plain = plain_numbers(words)
    is_plain = plain.notna().to_numpy()
    if is_plain.all() and mark != ",":
        return Numerals(plain, {}, ".")
    texts = words.tolist()
    others = {
        place: _Bare.of(texts[place])
        for place in np.flatnonzero(~is_plain).tolist()
        if any(map(str.isdigit, texts[place]))
    }
    by_point, by_comma = is_plain.copy(), _plain_by_comma(words, is_plain)
    for place, one in others.items():
        by_point[place] = _fits(_POINT, one.text)
        by_comma[place] = _fits(_COMMA, one.text)
    comma = mark == "," or (not mark and counts[by_comma].sum() > counts[by_point].sum())
    decimal, thousands, fitting = (",", ".", by_comma) if comma else (".", ",", by_point)
    traits: Counter[str] = Counter()
    values = plain.to_numpy(copy=True)
    if comma:
        values = plain_numbers(words.str.replace(".", "", regex=False)).to_numpy(copy=True)
        values[~fitting] = np.nan
        marked = words.str.contains(".", regex=False).to_numpy(dtype=bool)
        traits["thousands separators"] = int(counts[is_plain & fitting & marked].sum())
    for place, one in others.items():
        values[place] = np.nan
        if not fitting[place]:
            continue
        number = one.multiple * float(one.text.replace(thousands, "").replace(decimal, "."))
        if np.isfinite(number):
            values[place] = number
        names = list(one.traits)
        if comma and "," in one.text:
            names.append("decimal commas")
        if thousands in one.text or one.grouped:
            names.append("thousands separators")
        traits.update(dict.fromkeys(names, int(counts[place])))
    kept = {name: count for name, count in traits.items() if count}
    return Numerals(pd.Series(values, index=words.index), kept, decimal)


def with_units(words: pd.Series) -> np.ndarray:
    """Return which cells are a number and a few letters after it, such as ``5 km``."""
    return np.array([_WITH_UNIT.fullmatch(word) is not None for word in words], dtype=bool)


def _plain_by_comma(words: pd.Series, is_plain: np.ndarray) -> np.ndarray:
    """Return which plain numbers are numbers, too, where a point separates thousands."""
    grouped = words.str.fullmatch(r"[+-]?[1-9][0-9]{0,2}([.][0-9]{3})+").to_numpy(dtype=bool)
    pointed = words.str.contains(".", regex=False).to_numpy(dtype=bool)
    return is_plain & (grouped | ~pointed)


def _fits(form: re.Pattern[str], text: str) -> bool:
    return form.fullmatch(text) is not None and any(map(str.isdigit, text.lower().split("e")[0]))


@dataclass(frozen=True)
class _Bare:
    """A cell without its signs; `traits` names those."""

    text: str
    traits: tuple[str, ...]
    grouped: bool
    multiple: float

    @classmethod
    def of(cls, cell: str) -> "_Bare":
        traits = []
        text = unicodedata.normalize("NFKC", cell).strip().replace("−", "-")
        if text.startswith("(") and text.endswith(")"):  # a negative amount in accounts
            text = "-" + text[1:-1].strip()
            traits.append("brackets for minus")
        sign = text[0] if text[:1] in ("+", "-") else ""
        text = text[len(sign) :].lstrip()
        if text.endswith("%"):
            text = text[:-1].rstrip()
            traits.append("percent signs")
        bare = _CURRENCY.sub("", text)
        if bare != text:
            traits.append("currency signs")
        multiple = 1.0
        if found := _MULTIPLE.search(bare):
            bare, multiple = bare[: found.start()], _MULTIPLES[found[1]]
            traits.append(f"{found[1]} for thousands or more")
        if not sign and bare[:1] in ("+", "-"):
            sign, bare = bare[0], bare[1:]
        joined = _SPACES.sub("", bare)
        return cls(sign + joined, tuple(traits), joined != bare, multiple)
