"""Predictions made elsewhere: read from CSV, Parquet or NPZ, and compared with ads and tags.

::

    .csv, .parquet    columns id, one per tag, and fold (optional)
    .npz              arrays ids (n_ads,), tags (n_tags,), probabilities (n_ads, n_tags), and
                      fold (n_ads,) (optional); texts as numpy strings, nothing pickled

Columns and rows may come in any order.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from competition.datasets.problems import Problems, shortened
from competition.datasets.reading import read_csv
from competition.folds import LONGEST_NUMBER
from competition.media.arrays import read_archive
from competition.utils.errors import MediaError, PredictionsError, nearest

SHOWN = 3


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
    fold : ndarray of shape (n_ads,), dtype int64, or None
        The fold that holds each ad out, if the file names it.
    """

    path: Path
    rows: tuple[str, ...]
    ids: tuple[str, ...]
    tags: tuple[str, ...]
    values: np.ndarray
    fold: np.ndarray | None

    def where(self, row: int) -> str:
        return f"{self.path}, {self.rows[row]} (ad {self.ids[row]})"


def read_predictions(
    path: Path, ids: Sequence[str], tags: Sequence[str], what: str
) -> PredictionFile:
    """Read probabilities of all of `ids` for all of `tags`.

    Parameters
    ----------
    path : Path
        Its ending says what it is.
    ids : sequence of n_ads str
    tags : sequence of n_tags str
    what : str
        The ads' name in messages: "training" or "test".

    Returns
    -------
    PredictionFile
        With ads and tags in the order of `ids` and `tags`.

    Raises
    ------
    PredictionsError
        If the file cannot be read, an ad is missing, unknown or given twice, a tag is missing,
        unknown or given twice, or a probability is not a number between 0 and 1.
    """
    if path.suffix not in READERS:
        raise PredictionsError(
            f"{path}: predictions are read from {', '.join(READERS)}, not from "
            f"{path.suffix or 'a file without an ending'!r}. Save them as one of these."
        )
    if not path.is_file():
        raise PredictionsError(f"There is no file {path}.")
    found = READERS[path.suffix](path, tuple(tags))
    columns = _places_of_tags(found, tags)
    places = _places_of_ads(found, ids, what)
    ordered = PredictionFile(
        path,
        tuple(found.rows[place] for place in places),
        tuple(ids),
        tuple(tags),
        found.values[np.ix_(places, columns)],
        None if found.fold is None else found.fold[places],
    )
    wrong = np.argwhere(~((ordered.values >= 0) & (ordered.values <= 1)))
    if len(wrong):
        row, tag = wrong[0]
        raise PredictionsError(
            f"{ordered.where(row)}: the tag {tags[tag]!r} has {ordered.values[row, tag]}, which is "
            f"no probability ({len(wrong):,} such cells in all). Give numbers from 0 to 1."
        )
    return ordered


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
                f"{found.path}: the dataset has no tag {tag!r}.{hint} Rename or remove the column."
            )
    if missing:
        raise PredictionsError(
            f"{found.path} lacks {len(missing)} tag(s): {_some(missing)}. Give a probability for "
            "every tag."
        )
    return [place_of[tag] for tag in tags]


def _places_of_ads(found: PredictionFile, ids: Sequence[str], what: str) -> list[int]:
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
    if extra:
        raise PredictionsError(
            f"{found.where(place_of[extra[0]])}: the dataset has no such {what} ad "
            f"({len(extra):,} such ads in all). Remove what is no {what} ad."
        )
    if missing:
        raise PredictionsError(
            f"{found.path} lacks {len(missing)} {what} ad(s): {_some(missing)}. Give every {what} "
            "ad one row."
        )
    return [place_of[ad] for ad in ids]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def _read_csv(path: Path, tags: tuple[str, ...]) -> PredictionFile:
    problems = Problems()
    rows = read_csv(path, str(path), ["id"], problems)
    if problems.errors:
        raise PredictionsError(str(problems.errors[0]))
    header = list(rows[0].cells) if rows else ["id"]
    named, has_folds = _columns(header, tags)
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
                    f"{row.cells[tag]!r}, which is no number. Give numbers from 0 to 1."
                ) from None
    fold = _folds(path, places, ids, [row.cells["fold"] for row in rows]) if has_folds else None
    return PredictionFile(path, places, ids, tuple(named), values, fold)


def _read_parquet(path: Path, tags: tuple[str, ...]) -> PredictionFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        frame = pq.read_table(path).to_pandas()
    except (OSError, ValueError, OverflowError, pa.ArrowException) as bad:
        raise PredictionsError(f"{path} is no Parquet file that can be read: {bad}.") from bad
    if frame.index.name == "id":
        frame = frame.reset_index()
    if "id" not in frame.columns:
        shown = _some([str(column) for column in frame.columns])
        raise PredictionsError(f"{path} has no column id; it has: {shown}. Add the ads' ids.")
    named, has_folds = _columns(list(frame.columns), tags)
    ids = _texts(frame["id"])
    places = tuple(f"row {place} (from 0)" for place in range(len(ids)))
    try:
        values = frame[named].to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as bad:
        raise PredictionsError(
            f"{path}: the column of a tag holds other things than numbers ({bad}). Give numbers "
            "from 0 to 1."
        ) from bad
    fold = _folds(path, places, ids, frame["fold"]) if has_folds else None
    return PredictionFile(path, places, ids, tuple(named), values, fold)


def _read_npz(path: Path, tags: tuple[str, ...]) -> PredictionFile:
    try:
        arrays = read_archive(path, ("ids", "tags", "probabilities", "fold"))
    except MediaError as bad:
        raise PredictionsError(
            f"{path} is no NPZ file of plain arrays: {bad}. Save ids and tags as numpy strings "
            "(`np.asarray(ids, dtype=str)`)."
        ) from bad
    absent = [name for name in ("ids", "tags", "probabilities") if name not in arrays]
    if absent:
        raise PredictionsError(f"{path} has no array {absent[0]!r}; it has: {_some([*arrays])}.")
    ids, named = _texts(arrays["ids"].ravel()), _texts(arrays["tags"].ravel())
    values = arrays["probabilities"]
    if values.shape != (len(ids), len(named)) or values.dtype.kind not in "biuf":
        raise PredictionsError(
            f"{path}: probabilities must be numbers of shape (n_ads, n_tags) = "
            f"({len(ids)}, {len(named)}), got {values.dtype} of shape {values.shape}."
        )
    places = tuple(f"row {place} (from 0)" for place in range(len(ids)))
    fold = _folds(path, places, ids, arrays["fold"]) if "fold" in arrays else None
    return PredictionFile(path, places, ids, named, values.astype(np.float64), fold)


READERS: dict[str, Callable[[Path, tuple[str, ...]], PredictionFile]] = {
    ".csv": _read_csv,
    ".parquet": _read_parquet,
    ".npz": _read_npz,
}


def _columns(header: list[str], tags: tuple[str, ...]) -> tuple[list[str], bool]:
    """Columns of tags, and whether one more names the folds; a tag may be called "fold"."""
    has_folds = "fold" in header and "fold" not in tags
    others = {"id", "fold"} if has_folds else {"id"}
    return [column for column in header if column not in others], has_folds


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
