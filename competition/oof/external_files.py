"""Predictions made elsewhere: read from CSV, Parquet or NPZ, and compared with ads and tags.

::

    .csv, .parquet    columns id, one per tag, and fold (optional)
    .npz              arrays ids (n_ads,), tags (n_tags,), probabilities (n_ads, n_tags), and
                      fold (n_ads,) (optional); texts as numpy strings, nothing pickled

Columns and rows may come in any order. What the values are is for `competition.oof.scales`.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from competition.datasets.problems import Problems, shortened
from competition.datasets.reading import read_csv
from competition.folds_file import LONGEST_NUMBER
from competition.media.arrays import read_archive
from competition.utils.errors import MediaError, PredictionsError, nearest, some


@dataclass(frozen=True, eq=False)
class PredictionFile:
    """The content of a file of predictions.

    Attributes
    ----------
    path : Path
    rows : tuple of str
        Where messages find each ad: "line 7" or "row 5 (from 0)".
    ids : tuple of str
        In the file's order, as are `values` and `fold`.
    tags : tuple of str
    values : ndarray of shape (n_ads, n_tags), dtype float64
        On the file's own scale; NaN for an ad that the file lacks, which has the row "".
    fold : ndarray of shape (n_ads,), dtype int64, or None
        The fold that holds each ad out, if the file names it; -1 for an ad that the file lacks.
    """

    path: Path
    rows: tuple[str, ...]
    ids: tuple[str, ...]
    tags: tuple[str, ...]
    values: np.ndarray
    fold: np.ndarray | None

    @property
    def lacking(self) -> np.ndarray:
        """Whether the file lacks each ad, shape (n_ads,), dtype bool."""
        return np.array([not row for row in self.rows], dtype=bool)

    def where(self, row: int) -> str:
        return f"{self.path}, {self.rows[row]} (ad {self.ids[row]})"


def read_predictions(
    path: Path,
    ids: Sequence[str],
    tags: Sequence[str],
    what: str,
    *,
    ignore_extra: bool = False,
    partial: bool = False,
) -> PredictionFile:
    """Read what a file says of all of `ids` and all of `tags`.

    Parameters
    ----------
    path : Path
        Its ending says what it is.
    ids : sequence of n_ads str
    tags : sequence of n_tags str
    what : str
        The ads' name in messages: "training" or "test".
    ignore_extra : bool
        Whether other tags and other ads are left out, not refused.
    partial : bool
        Whether ads may be missing.

    Returns
    -------
    PredictionFile
        With ads and tags in the order of `ids` and `tags`.

    Raises
    ------
    PredictionsError
        If the file cannot be read, a tag is missing or given twice, an ad is given twice, or one is
        missing or unknown that may not be.
    """
    if path.suffix not in READERS:
        raise PredictionsError(
            f"{path}: predictions are read from {', '.join(READERS)}, not from "
            f"{path.suffix or 'a file without an ending'!r}. Save them as one of these."
        )
    if not path.is_file():
        raise PredictionsError(f"There is no file {path}.")
    found = READERS[path.suffix](path, _Wanted(tuple(tags), only=ignore_extra))
    columns = np.array(_places_of_tags(found, tags), dtype=np.int64)
    places = _places_of_ads(found, ids, what, ignore_extra=ignore_extra, partial=partial)
    values = found.values[np.ix_(places, columns)]
    values[places < 0] = np.nan
    return PredictionFile(
        path,
        tuple(found.rows[place] if place >= 0 else "" for place in places),
        tuple(ids),
        tuple(tags),
        values,
        None if found.fold is None else np.where(places < 0, -1, found.fold[places]),
    )


@dataclass(frozen=True)
class _Wanted:
    """Which columns are read: those of `tags`, and unless `only` they are wanted, all others."""

    tags: tuple[str, ...]
    only: bool

    def columns(self, header: Sequence[str]) -> tuple[list[str], bool]:
        """Columns of tags, and whether one more names the folds; a tag may be called "fold"."""
        has_folds = "fold" in header and "fold" not in self.tags
        others = {"id", "fold"} if has_folds else {"id"}
        known = set(self.tags)
        kept = [name for name in header if name not in others and (not self.only or name in known)]
        return kept, has_folds


def _places_of_tags(found: PredictionFile, tags: Sequence[str]) -> list[int]:
    place_of = {tag: place for place, tag in enumerate(found.tags)}
    if len(place_of) < len(found.tags):
        twice = next(tag for tag, count in Counter(found.tags).items() if count > 1)
        raise PredictionsError(f"{found.path}: the tag {twice!r} is given twice. Give it once.")
    missing = [tag for tag in tags if tag not in place_of]
    known = set(tags)
    for tag in found.tags:
        if tag not in known:
            hint = nearest(tag, missing or tags)
            raise PredictionsError(
                f"{found.path}: the dataset has no tag {tag!r}.{hint} Rename the column, or pass "
                "--ignore-extra. If it is a tag that no training ad carries, declare the list of "
                "tags in the competition.toml: names = [...] below [[tags]]."
            )
    if missing:
        raise PredictionsError(
            f"{found.path} lacks {len(missing)} tag(s): {some(missing)}. Give a probability for "
            "every tag."
        )
    return [place_of[tag] for tag in tags]


def _places_of_ads(
    found: PredictionFile, ids: Sequence[str], what: str, *, ignore_extra: bool, partial: bool
) -> np.ndarray:
    """Place of each ad in the file; -1 for one that it lacks."""
    place_of: dict[str, int] = {}
    for place, ad in enumerate(found.ids):
        if ad in place_of:
            raise PredictionsError(
                f"{found.where(place)}: the ad is given twice, first in "
                f"{found.rows[place_of[ad]]}. Give it once."
            )
        place_of[ad] = place
    wanted = set(ids)
    missing = [ad for ad in ids if ad not in place_of]
    extra = [ad for ad in found.ids if ad not in wanted]
    if extra and not ignore_extra:
        raise PredictionsError(
            f"{found.where(place_of[extra[0]])}: the dataset has no such {what} ad "
            f"({len(extra):,} such ads in all). Remove what is no {what} ad, or pass "
            "--ignore-extra."
        )
    if missing and (not partial or len(missing) == len(wanted)):
        raise PredictionsError(
            f"{found.path} lacks {len(missing)} {what} ad(s): {some(missing)}. Give every {what} "
            "ad one row"
            + ("." if partial else "; or pass --partial, and those ads count as missing.")
        )
    return np.array([place_of.get(ad, -1) for ad in ids], dtype=np.int64)


def _read_csv(path: Path, wanted: _Wanted) -> PredictionFile:
    problems = Problems()
    rows = read_csv(path, str(path), ["id"], problems)
    if problems.errors:
        raise PredictionsError(str(problems.errors[0]))
    header = list(rows[0].cells) if rows else ["id"]
    named, has_folds = wanted.columns(header)
    places = tuple(f"line {row.line}" for row in rows)
    ids = tuple(row.cells["id"].strip() for row in rows)
    values = np.empty((len(rows), len(named)))
    for place, row in enumerate(rows):
        for column, tag in enumerate(named):
            try:
                values[place, column] = float(row.cells[tag])
            except ValueError:
                raise PredictionsError(
                    f"{path}, {places[place]} (ad {ids[place]}): the tag {tag!r} has "
                    f"{row.cells[tag]!r}, which is no number. Give a number."
                ) from None
    fold = _folds(path, places, ids, [row.cells["fold"] for row in rows]) if has_folds else None
    return PredictionFile(path, places, ids, tuple(named), values, fold)


def _read_parquet(path: Path, wanted: _Wanted) -> PredictionFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        frame = pq.read_table(path).to_pandas()
    except (OSError, ValueError, OverflowError, pa.ArrowException) as bad:
        raise PredictionsError(f"{path} is no Parquet file that can be read: {bad}.") from bad
    if frame.index.name == "id":
        frame = frame.reset_index()
    frame.columns = pd.Index([str(name) for name in frame.columns])
    if "id" not in frame.columns:
        shown = some(list(frame.columns))
        raise PredictionsError(f"{path} has no column id; it has: {shown}. Add the ads' ids.")
    named, has_folds = wanted.columns(list(frame.columns))
    ids = _texts(frame["id"])
    places = tuple(f"row {place} (from 0)" for place in range(len(ids)))
    try:
        values = frame[named].to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as bad:
        raise PredictionsError(
            f"{path}: the column of a tag holds other things than numbers ({bad}). Give numbers."
        ) from bad
    fold = _folds(path, places, ids, frame["fold"]) if has_folds else None
    return PredictionFile(path, places, ids, tuple(named), values, fold)


def _read_npz(path: Path, wanted: _Wanted) -> PredictionFile:
    try:
        arrays = read_archive(path, ("ids", "tags", "probabilities", "fold"))
    except MediaError as bad:
        raise PredictionsError(
            f"{path} is no NPZ file of plain arrays: {bad}. Save ids and tags as numpy strings "
            "(`np.asarray(ids, dtype=str)`)."
        ) from bad
    absent = [name for name in ("ids", "tags", "probabilities") if name not in arrays]
    if absent:
        raise PredictionsError(f"{path} has no array {absent[0]!r}; it has: {some([*arrays])}.")
    ids, named = _texts(arrays["ids"].ravel()), _texts(arrays["tags"].ravel())
    values = arrays["probabilities"]
    if values.shape != (len(ids), len(named)) or values.dtype.kind not in "biuf":
        raise PredictionsError(
            f"{path}: probabilities must be numbers of shape (n_ads, n_tags) = "
            f"({len(ids)}, {len(named)}), got {values.dtype} of shape {values.shape}."
        )
    places = tuple(f"row {place} (from 0)" for place in range(len(ids)))
    fold = _folds(path, places, ids, arrays["fold"]) if "fold" in arrays else None
    kept = [place for place, tag in enumerate(named) if not wanted.only or tag in wanted.tags]
    tags = tuple(named[place] for place in kept)
    return PredictionFile(path, places, ids, tags, values[:, kept].astype(np.float64), fold)


READERS: dict[str, Callable[[Path, _Wanted], PredictionFile]] = {
    ".csv": _read_csv,
    ".parquet": _read_parquet,
    ".npz": _read_npz,
}


def _texts(values: Sequence[object] | np.ndarray | pd.Series) -> tuple[str, ...]:
    return tuple(
        value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value).strip()
        for value in values
    )


def _folds(
    path: Path,
    places: Sequence[str],
    ids: Sequence[str],
    cells: Sequence[object] | np.ndarray | pd.Series,
) -> np.ndarray:
    if len(cells) != len(ids):
        raise PredictionsError(f"{path}: {len(cells)} folds do not fit {len(ids)} ads.")
    folds = np.empty(len(ids), dtype=np.int64)
    for place, cell in enumerate(_texts(cells)):
        if not (cell.isascii() and cell.isdecimal() and len(cell) <= LONGEST_NUMBER):
            raise PredictionsError(
                f"{path}, {places[place]} (ad {ids[place]}): fold {shortened(cell)!r} is not a "
                "whole number from 0. Give each ad the fold it was held out in, or leave the folds "
                "out."
            )
        folds[place] = int(cell)
    return folds
