"""Metadata: which columns hold numbers, categories or dates, and what stands for nothing."""

from collections.abc import Callable, Collection
from typing import Literal

import pandas as pd

from competition.datasets.numerals import plain_numbers, read_numerals
from competition.datasets.problems import Problems, shortened

ValueType = Literal["number", "category", "date"]

# Stand for nothing in any column, unless competition.toml says otherwise; in small letters.
NULL_WORDS = frozenset({"na", "n/a", "nan", "null", "none", "<na>", "\\n", "#n/a", "nil", "nat"})
# Stand for nothing among numbers and dates, and may be meant among categories and tags.
NULL_AMONG_NUMBERS = NULL_WORDS | {
    *("-", "--", "—", "?", ".", "unknown", "missing", "n.a.", "not available", "undefined"),
    *("#null!", "#div/0!", "#value!", "#ref!", "未知", "无", "不详"),
}
NUMERIC_SHARE = 0.9  # a column with at least this share of numbers is numeric
MOSTLY = 0.5  # one with this share is probably meant to be
_SHOWN = 3  # cells that a warning quotes


def is_null(cells: pd.Series, words: Collection[str]) -> pd.Series:
    """Return which cells are empty or one of `words`, given in small letters."""
    return cells.str.lower().isin(["", *words])


def metadata_column(
    name: str,
    cells: pd.Series,
    place: Callable[[int], str],
    problems: Problems,
    declared: ValueType | None = None,
    null_words: Collection[str] = NULL_WORDS,
) -> pd.Series:
    """Read one column of metadata as numbers, dates or categories.

    If at least nine in ten filled cells are numbers, also when they are written with decimal
    commas, thousands separators, currency or percent signs, the column is float64, and each other
    cell is missing. Any other column is a category. What is read otherwise than it stands, and
    what may be meant otherwise, is a warning with counts.

    Parameters
    ----------
    name : str
    cells : Series of str, indexed by ad id
        Without white space around them.
    place : callable
        From a position to the cell's place ("train.csv:17").
    problems : Problems
    declared : {"number", "category", "date"}, optional
        What the column is said to hold. Dates are numbers of days since 1970.
    null_words : collection of str
        In small letters.

    Returns
    -------
    Series indexed by ad id; NA where missing.
    """
    cells = cells.rename(name)
    filled = cells[~is_null(cells, null_words)]
    if declared == "category":
        return _categories(cells, filled)
    among = filled[~is_null(filled, NULL_AMONG_NUMBERS)]
    if declared == "date":
        values, traits = _days(among), dict[str, int]()
    else:
        values = plain_numbers(among)
        traits = {}
        if len(among) and values.notna().mean() < NUMERIC_SHARE:
            numerals = read_numerals(among)
            values, traits = numerals.values, numerals.traits
    share = float(values.notna().mean()) if len(values) else float(not len(filled))
    if declared is None and share < NUMERIC_SHARE:
        _warn_of_category(name, among, share, problems)
        return _categories(cells, filled)
    nulls = filled[~filled.index.isin(among.index)].value_counts()
    if len(nulls):
        traits = {**traits, f"null words ({_some(nulls.index)})": int(nulls.sum())}
    if traits:
        counts = ", ".join(f"{count:,} with {trait}" for trait, count in traits.items())
        problems.warning(
            "decorated numbers",
            f"column {name}",
            f"{int(values.notna().sum()):,} of {len(filled):,} cells are read as numbers; {counts}"
            f". If that is wrong, declare its type as \"category\".",
        )
    _warn_of_each(name, cells, values, declared or "number", place, problems)
    return values.reindex(cells.index).astype("float64").rename(name)


def _categories(cells: pd.Series, filled: pd.Series) -> pd.Series:
    # The order of categories follows from the words, not from the rows.
    return filled.astype(object).reindex(cells.index).astype("category").rename(cells.name)


def _days(cells: pd.Series) -> pd.Series:
    """Read dates as days since 1970: ISO 8601, else one form for the whole column."""
    forms = [{"format": "ISO8601"}, {"dayfirst": False}, {"dayfirst": True}]
    best = pd.Series(float("nan"), cells.index)
    for form in forms:
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of forms that do not fit, which are tried on purpose
            moments = pd.to_datetime(cells, errors="coerce", utc=True, **form)
        if moments.notna().sum() > best.notna().sum():
            start = pd.Timestamp("1970-01-01", tz="UTC")
            best = (moments - start) / pd.Timedelta(days=1)
    return best.astype("float64")


def _warn_of_category(name: str, among: pd.Series, share: float, problems: Problems) -> None:
    where = f"column {name}"
    if share >= MOSTLY:
        values = read_numerals(among).values
        others = among[values.isna()].value_counts()
        problems.warning(
            "mostly numbers",
            where,
            f"{share:.0%} of {len(among):,} cells are numbers, others are not ({_some(others.index)}"
            f"): read as categories. Correct those cells, name them in null_words, or declare "
            'its type as "number".',
        )
    elif len(among) and _days(among[:200]).notna().mean() >= NUMERIC_SHARE:
        problems.warning(
            "dates",
            where,
            f"the cells look like dates ({_some(among[:1])}) and are read as categories. Declare "
            'their type as "date" to read them as days.',
        )


def _warn_of_each(
    name: str,
    cells: pd.Series,
    values: pd.Series,
    kind: str,
    place: Callable[[int], str],
    problems: Problems,
) -> None:
    bad = values.index[values.isna()]
    positions = cells.index.get_indexer(bad)
    for ad, position in zip(bad, positions, strict=True):
        text = f"column {name} holds {shortened(cells.iloc[position])!r}, not a {kind}: "
        problems.warning(f"not a {kind}", place(position), text + "read as missing.", ad)


def _some(words: Collection[str]) -> str:
    shown = ", ".join(repr(shortened(word)) for word in list(words)[:_SHOWN])
    return shown + (", ..." if len(words) > _SHOWN else "")
