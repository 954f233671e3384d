"""Numbers as people write them: with decimal commas, thousands, currencies and percent signs."""

import re
import unicodedata
from dataclasses import dataclass

import numpy as np
import pandas as pd

_CURRENCY_CODES = "USD|EUR|GBP|CNY|RMB|JPY|INR|KRW|BRL|CHF|CAD|AUD|RUB|TRY|MXN|R\\$"
_CURRENCY = re.compile(
    rf"^(?:{_CURRENCY_CODES}|\p)\s*|\s*(?:{_CURRENCY_CODES}|\p|元|円|원)$".replace(
        r"\p", "[$¢-¥₠-⃀]"
    )
)
_SPACES = re.compile(r"(?<=\d)[ '’](?=\d{3}(?!\d))")  # thousands; NFKC has made spaces plain
# A point for decimals and commas for thousands, or the other way round.
_POINT = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?")
_COMMA = re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)?(?:,\d*)?")


@dataclass(frozen=True, eq=False)
class Numerals:
    """What the distinct cells of a column say as numbers.

    Attributes
    ----------
    values : Series of float64
        NaN where a cell is no number.
    traits : dict of str to int
        How many cells have what a plain number has not ("decimal commas", "percent signs", ...).
    """

    values: pd.Series
    traits: dict[str, int]


def plain_numbers(cells: pd.Series) -> pd.Series:
    """Return cells as float64, NaN where they are no plain, finite number."""
    numbers = pd.to_numeric(cells, errors="coerce").astype("float64")
    return numbers.where(np.isfinite(numbers))


def read_numerals(words: pd.Series, counts: np.ndarray) -> Numerals:
    """Read decorated numbers; whether commas or points mark decimals is decided for the column.

    Parameters
    ----------
    words : Series of str
        The distinct cells.
    counts : ndarray of shape (n_words,)
        How often each stands.

    ``1,234`` alone may be 1234 or 1.234: it is the former where no other cell decides.
    """
    bare = [_Bare.of(word) for word in words]
    by_point = sum(n for one, n in zip(bare, counts, strict=True) if _fits(_POINT, one.text))
    by_comma = sum(n for one, n in zip(bare, counts, strict=True) if _fits(_COMMA, one.text))
    decimal, form = (",", _COMMA) if by_comma > by_point else (".", _POINT)
    thousands = "." if decimal == "," else ","
    values = np.full(len(words), np.nan)
    traits: dict[str, int] = {}
    for place, (found, count) in enumerate(zip(bare, counts, strict=True)):
        if not _fits(form, found.text):
            continue
        number = float(found.text.replace(thousands, "").replace(decimal, "."))
        values[place] = number if np.isfinite(number) else np.nan
        names = list(found.traits)
        if decimal == "," and "," in found.text:
            names.append("decimal commas")
        if thousands in found.text or found.grouped:
            names.append("thousands separators")
        for name in names:
            traits[name] = traits.get(name, 0) + int(count)
    return Numerals(pd.Series(values, index=words.index), traits)


def _fits(form: re.Pattern[str], text: str) -> bool:
    return form.fullmatch(text) is not None and any(map(str.isdigit, text))


@dataclass(frozen=True)
class _Bare:
    """A cell without its signs; `traits` names those."""

    text: str
    traits: tuple[str, ...]
    grouped: bool

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
        if not sign and bare[:1] in ("+", "-"):
            sign, bare = bare[0], bare[1:]
        joined = _SPACES.sub("", bare)
        return cls(sign + joined, tuple(traits), joined != bare)
