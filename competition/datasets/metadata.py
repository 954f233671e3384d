"""Metadata: which columns hold numbers, categories or dates, and what stands for nothing."""

import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from pandas.tseries.api import guess_datetime_format

from competition.datasets.numerals import read_numerals, with_units
from competition.datasets.problems import Problems, shortened
from competition.utils.errors import some

ValueType = Literal["number", "category", "date"]

# Stand for nothing in any column, unless competition.toml says otherwise; in small letters.
NULL_WORDS = frozenset({"na", "n/a", "nan", "null", "none", "<na>", "\\n", "#n/a", "nil", "nat"})
# Stand for nothing among numbers and dates, and may be meant among categories and tags.
NULL_AMONG_NUMBERS = NULL_WORDS | {
    *("-", "--", "—", "?", ".", "unknown", "missing", "n.a.", "not available", "undefined"),
    *("#null!", "#div/0!", "#value!", "#ref!", "未知", "无", "不详"),
}
NUMERIC_SHARE = 0.9  # a column with at least this share of numbers is numeric
DAY_FIRST, MONTH_FIRST = "day first", "month first"  # forms of dates
MOSTLY = 0.5  # one with this share is probably meant to be


@dataclass(frozen=True)
class Reading:
    """How a column of metadata is read.

    What its cells are follows from all of them together: ``12.345`` is twelve thousand beside
    ``1,5``. So ads that come later are read as those of training were, whatever stands beside them.

    Attributes
    ----------
    type : {"number", "category", "date"}
    form : str
        Of numbers the mark of decimals, "." or ","; of dates "ISO8601", a format such as
        "%d.%m.%Y", "day first" or "month first"; "" where the cells are to show it.
    """

    type: ValueType
    form: str = ""


def with_commas(readings: Mapping[str, Reading]) -> frozenset[str]:
    """Return the columns whose numbers are read with decimal commas."""
    return frozenset(name for name, reading in readings.items() if reading.form == ",")


def is_null(cells: pd.Series, words: Collection[str]) -> pd.Series:
    """Return which cells are empty or one of `words`, given in small letters."""
    return cells.str.lower().isin(["", *words])


def metadata_column(
    name: str,
    cells: pd.Series,
    place: Callable[[int], str],
    problems: Problems,
    readings: dict[str, Reading],
    declared: ValueType | None = None,
    null_words: Collection[str] = NULL_WORDS,
) -> pd.Series:
    """Read one column of metadata as numbers, dates or categories.

    If at least nine in ten filled cells are numbers, also when they are written with decimal
    commas, thousands separators, currency or percent signs, or k for a thousand, the column is
    float64, and each other cell is missing. Any other column is a category. What is read
    otherwise than it stands, and what may be meant otherwise, is a warning with counts.

    Parameters
    ----------
    name : str
    cells : Series of str, indexed by ad id
        Without white space around them.
    place : callable
        From a position to the cell's place ("train.csv:17").
    problems : Problems
    readings : dict of str to Reading
        How columns are read: this one as it says, where it names it; otherwise the column is added.
    declared : {"number", "category", "date"}, optional
        What the column is said to hold. Dates are numbers of days since 1970.
    null_words : collection of str
        In small letters.

    Returns
    -------
    Series indexed by ad id; NA where missing.
    """
    column = _Column(name, *_distinct(cells), null_words)
    form = ""
    if name in readings:
        declared, form = readings[name].type, readings[name].form
    if declared == "category":
        readings[name] = Reading("category")
        return column.as_categories(cells.index)
    words, counts = column.words[column.given], column.counts[column.given]
    traits: dict[str, int] = {}
    if declared == "date":
        values, form = _days(words, form)
    else:
        numerals = read_numerals(words, counts, form)
        values, traits, form = numerals.values, numerals.traits, numerals.mark
    share = _share(values, counts)
    if declared is None and (share < NUMERIC_SHARE or (not len(words) and column.doubtful.any())):
        _warn_of_category(name, words, counts, values, problems)
        readings[name] = Reading("category")
        return column.as_categories(cells.index)
    if column.doubtful.any():
        n_nulls = int(column.counts[column.doubtful].sum())
        traits = {**traits, f"null words ({_some(column.words[column.doubtful])})": n_nulls}
    kind: ValueType = declared or "number"
    readings[name] = Reading(kind, form)
    if traits:
        listed = ", ".join(f"{count:,} with {trait}" for trait, count in traits.items())
        n_read, n_filled = counts[values.notna()].sum(), column.counts[~column.nulls].sum()
        problems.warning(
            "decorated numbers",
            f"column {name}",
            f"{n_read:,} of {n_filled:,} cells are read as {kind}s; {listed}. If that is wrong, "
            'declare its type as "category".',
        )
    bad = words.index[values.isna()]
    for position in np.flatnonzero(np.isin(column.codes, bad)).tolist():
        text = f"column {name} holds {shortened(cells.iloc[position])!r}, not a {kind}: "
        ad = str(cells.index[position])
        problems.warning(f"not a {kind}", place(position), text + "read as missing.", ad)
    return pd.Series(column.spread(values), index=cells.index, name=name, dtype="float64")


@dataclass(frozen=True, eq=False)
class _Column:
    """The cells of a column, each distinct one once."""

    name: str
    codes: np.ndarray
    words: pd.Series
    null_words: Collection[str]

    @cached_property
    def counts(self) -> np.ndarray:
        return np.bincount(self.codes, minlength=len(self.words))

    @cached_property
    def nulls(self) -> np.ndarray:
        """Which distinct cells stand for nothing in any column."""
        return is_null(self.words, self.null_words).to_numpy(dtype=bool)

    @cached_property
    def doubtful(self) -> np.ndarray:
        """Which others stand for nothing among numbers."""
        return is_null(self.words, NULL_AMONG_NUMBERS).to_numpy(dtype=bool) & ~self.nulls

    @property
    def given(self) -> np.ndarray:
        return ~(self.nulls | self.doubtful)

    def spread(self, values: pd.Series) -> np.ndarray:
        """Return the value of each cell from those of some distinct cells."""
        of_word = np.full(len(self.words), np.nan)
        of_word[values.index] = values.to_numpy()
        return of_word[self.codes]

    def as_categories(self, index: pd.Index) -> pd.Series:
        # The order of categories follows from the words, not from the rows.
        words = self.words[~self.nulls].astype(object).sort_values()
        of_word = np.full(len(self.words), -1)
        of_word[words.index] = np.arange(len(words))
        categories = pd.Index(words, dtype=object, name=None)
        values = pd.Categorical.from_codes(of_word[self.codes], categories=categories)
        return pd.Series(values, index=index, name=self.name)


def _distinct(cells: pd.Series) -> tuple[np.ndarray, pd.Series]:
    codes, words = pd.factorize(cells.astype("str"))
    return codes, pd.Series(words, dtype="str")


def _share(values: pd.Series, counts: np.ndarray) -> float:
    return float(counts[values.notna()].sum() / counts.sum()) if counts.sum() else 1.0


def _days(cells: pd.Series, known: str = "") -> tuple[pd.Series, str]:
    """Read dates as days since 1970: ISO 8601, else one form for the whole column; return it too.

    The first cell shows the order and the marks of days and months, unless the form is known.
    """
    best, chosen = pd.Series(float("nan"), cells.index), known or "ISO8601"
    for name in [known] if known else ["ISO8601", *_forms(cells)]:
        form: dict[str, Any] = {"format": name}
        if name in (DAY_FIRST, MONTH_FIRST):  # each cell by itself
            form = {"format": "mixed", "dayfirst": name == DAY_FIRST}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of forms that do not fit, which are tried on purpose
            moments = pd.to_datetime(cells, errors="coerce", utc=True, **form)
        if moments.notna().sum() > best.notna().sum():
            start = pd.Timestamp("1970-01-01", tz="UTC")
            best, chosen = (moments - start) / pd.Timedelta(days=1), name
    return best.astype("float64"), chosen


def _forms(cells: pd.Series) -> list[str]:
    if not len(cells):
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an order that the cell does not have
        return [
            guess_datetime_format(cells.iloc[0], dayfirst=dayfirst) or order
            for dayfirst, order in ((False, MONTH_FIRST), (True, DAY_FIRST))
        ]


def _warn_of_category(
    name: str, words: pd.Series, counts: np.ndarray, values: pd.Series, problems: Problems
) -> None:
    share = _share(values, counts)
    where = f"column {name}"
    if not len(words):
        return
    if share >= MOSTLY:
        others = words[values.isna()].iloc[np.argsort(-counts[values.isna()], kind="stable")]
        problems.warning(
            "mostly numbers",
            where,
            f"{share:.0%} of {counts.sum():,} cells are numbers, others are not ({_some(others)})"
            ": read as categories. Correct those cells, name them in null_words, or declare its "
            'type as "number".',
        )
        return
    units = with_units(words) & values.isna().to_numpy()
    if share + counts[units].sum() / counts.sum() >= MOSTLY:
        problems.warning(
            "mostly numbers",
            where,
            f"{counts[units].sum():,} of {counts.sum():,} cells are numbers with a unit, such as "
            f"{_some(words[units][:1])}: read as categories. Write the numbers alone, or declare "
            'its type as "category".',
        )
    elif _days(words[:200])[0].notna().mean() >= NUMERIC_SHARE:
        problems.warning(
            "dates",
            where,
            f"the cells look like dates ({_some(words[:1])}) and are read as categories. Declare "
            'its type as "date" to read them as days.',
        )


def _some(words: Collection[str]) -> str:
    return some(repr(shortened(word)) for word in words)
