"""Metadata about ads, and whatever else a stack sees, as matrices of numbers.

What is learned from training ads (means, spreads, knots, which categories count) is a record of
plain numbers, by which any other ads are transformed, each on its own.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from competition.level2.components.logits import blocks

# Metadata further out than this many spreads count as this far out.
SPREADS = 5.0
KNOTS = (0.2, 0.4, 0.6, 0.8)
RARE = 5


class Scale(NamedTuple):
    """Mean and spread of some columns, float64 (n_columns,); the spread of a constant is 0."""

    mean: np.ndarray
    spread: np.ndarray


def scale_of(columns: np.ndarray) -> Scale:
    """Mean and spread of the columns of training ads, (n_ads, n_columns)."""
    known = columns.astype(np.float64)
    mean, spread = known.mean(axis=0), known.std(axis=0)
    return Scale(mean, np.where(spread <= 1e-9 * (1 + np.abs(mean)), 0.0, spread))


def standardised(columns: np.ndarray, scale: Scale) -> np.ndarray:
    """Columns with mean 0 and spread 1 over the training ads, held to plus or minus 5.

    A column that is constant over the training ads says nothing that could have been learned there
    and becomes 0 everywhere.

    Parameters
    ----------
    columns : ndarray of shape (n_ads, n_columns)
    scale : Scale

    Returns
    -------
    ndarray of shape (n_ads, n_columns), dtype float32
    """
    constant = scale.spread == 0
    scaled = np.empty(columns.shape, dtype=np.float32)
    for block in blocks(len(columns)):
        far = (columns[block] - scale.mean) / np.where(constant, 1.0, scale.spread)
        scaled[block] = np.clip(np.where(constant, 0.0, far), -SPREADS, SPREADS)
    return scaled


class Hinges(NamedTuple):
    """How a number becomes five columns: itself, and four hinges at training quantiles.

    Attributes
    ----------
    logarithm : bool
        Whether the number is replaced by log(1 + number).
    low, high : float
        Smallest and largest training value: beyond them a straight line would be a guess.
    middle : float
        Median of the training values, for ads of which the number is NA.
    knots : ndarray of shape (4,), dtype float64
    scale : Scale
        Of the five columns.
    """

    logarithm: bool
    low: float
    high: float
    middle: float
    knots: np.ndarray
    scale: Scale


def fit_hinges(values: np.ndarray) -> Hinges | None:
    """Learn from the values of training ads, float64 (n_ads,), NaN where missing.

    Returns
    -------
    Hinges or None
        None where no training ad has a value.
    """
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return None
    low, middle, high = np.quantile(known, (0.05, 0.5, 0.95))
    logarithm = bool(low >= 0 and high - middle > 3 * (middle - low))
    known = np.log1p(np.maximum(known, 0)) if logarithm else known
    found = Hinges(
        logarithm,
        float(known.min()),
        float(known.max()),
        float(np.median(known)),
        np.quantile(known, KNOTS),
        Scale(np.zeros(1 + len(KNOTS)), np.ones(1 + len(KNOTS))),
    )
    return found._replace(scale=scale_of(_bent(values, found)))


def _bent(values: np.ndarray, hinges: Hinges) -> np.ndarray:
    """The number and its hinges before they are standardised: (n_ads, 5), float64."""
    if hinges.logarithm:
        values = np.log1p(np.maximum(values, 0))
    values = np.where(np.isnan(values), hinges.middle, values)
    values = np.clip(values, hinges.low, hinges.high)
    return np.column_stack([values, np.maximum(values[:, None] - hinges.knots, 0)])


class MetadataEncoding(NamedTuple):
    """How metadata and missing inputs become columns of numbers.

    A number becomes itself (its logarithm where its training values are far from symmetric) and
    four hinges at training quantiles, by which a linear model follows a bent effect. A category
    becomes one column for each value that is not rare in training. Both get a flag for NA, and a
    missing input becomes a flag. Columns that the training ads teach nothing about are 0.

    Attributes
    ----------
    categories : tuple
        For each column of metadata its values that are not rare, or None where it is a number.
    hinges : tuple of Hinges or None
        For each column that is a number.
    frequent : ndarray of shape (n_flags,), dtype bool
        Which flags are not rare.
    share : ndarray of shape (n_flags,), dtype float64
        Share of the training ads with each of them.
    """

    categories: tuple[tuple[str, ...] | None, ...]
    hinges: tuple[Hinges | None, ...]
    frequent: np.ndarray
    share: np.ndarray

    def design(self, metadata: pd.DataFrame, missing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Turn the metadata of any ads into columns.

        Parameters
        ----------
        metadata : DataFrame of shape (n_ads, n_metadata)
        missing : ndarray of shape (n_ads, n_inputs), dtype bool

        Returns
        -------
        plain : ndarray of shape (n_ads, n_columns), dtype float32
            Centred flags and categories, then standardised numbers.
        hinges : ndarray of shape (n_ads, 4 * n_numbers), dtype float32
            Standardised hinges of the numbers.
        """
        numbers = _numbers(metadata, self.categories)
        flags = _flags(metadata, missing, self.categories, numbers)
        flags[:, ~self.frequent] = False
        # Centred but not divided by their spread: a rare one would dwarf everything else.
        plain = [(flags - self.share).astype(np.float32)]
        hinges = [np.zeros((len(flags), 0), dtype=np.float32)]
        for values, learned in zip(numbers, self.hinges, strict=True):
            if learned is None:
                columns = np.zeros((len(flags), 1 + len(KNOTS)), dtype=np.float32)
            else:
                columns = standardised(_bent(values, learned), learned.scale)
            plain.append(columns[:, :1])
            hinges.append(columns[:, 1:])
        return np.hstack(plain), np.hstack(hinges)


def encode_metadata(metadata: pd.DataFrame, missing: np.ndarray) -> MetadataEncoding:
    """Learn from training ads how metadata and missing inputs become columns.

    Parameters
    ----------
    metadata : DataFrame of shape (n_ads, n_metadata)
        Numbers or categories, NA where missing.
    missing : ndarray of shape (n_ads, n_inputs), dtype bool
    """
    columns = [metadata.iloc[:, position] for position in range(metadata.shape[1])]
    categories = tuple(
        None if pd.api.types.is_numeric_dtype(column) else _common(column) for column in columns
    )
    numbers = _numbers(metadata, categories)
    flags = _flags(metadata, missing, categories, numbers)
    frequent = flags.sum(axis=0) >= RARE
    flags[:, ~frequent] = False
    hinges = tuple(fit_hinges(values) for values in numbers)
    return MetadataEncoding(categories, hinges, frequent, flags.mean(axis=0))


def _common(column: pd.Series) -> tuple[str, ...]:
    counts = column.astype("string").fillna("").value_counts()
    return tuple(sorted(str(v) for v, n in counts.items() if n >= RARE and v != ""))


def _flags(
    metadata: pd.DataFrame,
    missing: np.ndarray,
    categories: tuple[tuple[str, ...] | None, ...],
    numbers: list[np.ndarray],
) -> np.ndarray:
    """Missing inputs, then of each column whether it is NA and which category: bool."""
    flags = [np.asarray(missing, dtype=bool)]
    left = iter(numbers)
    for position, values in enumerate(categories):
        if values is None:
            flags.append(np.isnan(next(left))[:, None])
            continue
        column = metadata.iloc[:, position]
        flags.append(column.isna().to_numpy(dtype=bool)[:, None])
        text = column.astype("string").fillna("").to_numpy(str)
        flags.append(text[:, None] == np.array(values, str))
    return np.hstack(flags)


def _numbers(
    metadata: pd.DataFrame, categories: tuple[tuple[str, ...] | None, ...]
) -> list[np.ndarray]:
    """Columns that are numbers, float64 (n_ads,), NaN where missing or infinite."""
    frame = metadata.iloc[:, [place for place, one in enumerate(categories) if one is None]]
    if all(isinstance(kind, np.dtype) and kind.kind in "biuf" for kind in frame.dtypes):
        table = frame.to_numpy(np.float64)  # at once: of a single ad, pandas takes all the time
    else:
        read = [
            pd.to_numeric(frame.iloc[:, place], errors="coerce")
            for place in range(len(frame.columns))
        ]
        table = np.column_stack([one.to_numpy(dtype=np.float64, na_value=np.nan) for one in read])
    # Each in one piece of memory: NumPy's logarithm of another layout has other last bits.
    return [np.where(np.isfinite(one), one, np.nan) for one in map(np.ascontiguousarray, table.T)]
