"""The forms that predictions made elsewhere come in: CSV, Parquet and NPZ, read alike."""

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
from competition.utils.errors import MediaError, PredictionsError, some


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


@dataclass(frozen=True)
class Wanted:
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


def _read_csv(path: Path, wanted: Wanted) -> PredictionFile:
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
                values[place, column] = float(row.cells[tag] or "nan")
            except ValueError:
                raise PredictionsError(
                    f"{path}, {places[place]} (ad {ids[place]}): the tag {tag!r} has "
                    f"{row.cells[tag]!r}, which is no number. Give a number."
                ) from None
    cells = [row.cells["fold"] for row in rows] if has_folds else None
    fold = None if cells is None else _folds(path, places, ids, cells, values)
    return PredictionFile(path, places, ids, tuple(named), values, fold)


def _read_parquet(path: Path, wanted: Wanted) -> PredictionFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(path).names
        if len(set(names)) < len(names):
            twice = next(name for name, count in Counter(names).items() if count > 1)
            raise PredictionsError(f"{path}: the column {twice!r} is given twice. Give it once.")
        frame = pq.read_table(path).to_pandas()
    except (OSError, ValueError, OverflowError, pa.ArrowException) as bad:
        why = next(iter(str(bad).splitlines()), type(bad).__name__).rstrip(".")
        raise PredictionsError(f"{path} is no Parquet file that can be read: {why}.") from bad
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
    fold = _folds(path, places, ids, frame["fold"], values) if has_folds else None
    return PredictionFile(path, places, ids, tuple(named), values, fold)


def _read_npz(path: Path, wanted: Wanted) -> PredictionFile:
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
    values = values.astype(np.float64)
    cells = arrays["fold"].ravel() if "fold" in arrays else None
    fold = None if cells is None else _folds(path, places, ids, cells, values)
    kept = [place for place, tag in enumerate(named) if not wanted.only or tag in wanted.tags]
    tags = tuple(named[place] for place in kept)
    return PredictionFile(path, places, ids, tags, values[:, kept], fold)


READERS: dict[str, Callable[[Path, Wanted], PredictionFile]] = {
    ".csv": _read_csv,
    ".parquet": _read_parquet,
    ".npz": _read_npz,
}


def _texts(values: Sequence[object] | np.ndarray | pd.Series) -> tuple[str, ...]:
    listed = values.tolist() if isinstance(values, pd.Series) else values
    return tuple(
        value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value).strip()
        for value in listed
    )


def _folds(
    path: Path,
    places: Sequence[str],
    ids: Sequence[str],
    cells: Sequence[object] | np.ndarray | pd.Series,
    values: np.ndarray,
) -> np.ndarray:
    """Read the folds; an ad without a number, as a join leaves it, needs none and has -1."""
    if len(cells) != len(ids):
        raise PredictionsError(f"{path}: {len(cells)} folds do not fit {len(ids)} ads.")
    empty = np.isnan(values).all(axis=1)
    numbers = np.asarray(cells)
    whole = numbers.dtype.kind in "iu"
    if whole and ((numbers >= 0) & (numbers < 10**LONGEST_NUMBER)).all():
        return np.where(empty, -1, numbers.astype(np.int64))
    folds = np.full(len(ids), -1, dtype=np.int64)
    for place, text in enumerate(_texts(cells)):
        if empty[place]:
            continue
        cell = text.removesuffix(".0") if empty.any() else text  # beside NaN they are floats
        if not (cell.isascii() and cell.isdecimal() and len(cell) <= LONGEST_NUMBER):
            raise PredictionsError(
                f"{path}, {places[place]} (ad {ids[place]}): fold {shortened(cell)!r} is not a "
                "whole number from 0. Give each ad the fold it was held out in, or leave the folds "
                "out."
            )
        folds[place] = int(cell)
    return folds
