"""Columns of model inputs on disk: one process writes them, the tasks of all models read them.

A column is a file or a folder, named by its content::

    cache/<dataset>/<input>-<fingerprint>.parquet     id, value: texts and metadata
    cache/<dataset>/<input>-<fingerprint>.ragged/     ids.parquet, values.npy, offsets.npy:
                                                      one array per ad, memory-mapped
    cache/<dataset>/<input>-<fingerprint>.refs        id, and the place of each ad's array in the
                                                      store of features, memory-mapped there

Texts, metadata and counted terms have a seal beside them (`competition.utils.seals`).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from competition.features.store import ArrayRef
from competition.utils.errors import StoreError
from competition.utils.files import digest, folder_written_whole, remove, written_whole
from competition.utils.progress import Progress
from competition.utils.seals import ENDING, damaged, seal


@dataclass(frozen=True)
class Column:
    """One stored column.

    Attributes
    ----------
    name : str
        Its name in the frame that a model sees.
    fingerprint : str
        Digest of the ad ids and of everything that the values depend on.
    path : Path
    """

    name: str
    fingerprint: str
    path: Path


def content_digest(values: pd.Series) -> str:
    """Return the digest of ad ids, type and values of a column."""
    hashes = pd.util.hash_pandas_object(values, index=True, categorize=False)
    return digest(str(values.dtype), hashes.to_numpy().astype("<u8").tobytes())


def is_stored(path: Path, progress: Progress) -> bool:
    """Whether a column is stored as it was written; one that is damaged is removed."""
    sealed = path.with_name(path.name + ENDING)
    if not sealed.exists():  # or it was not written to its end
        return False
    if not damaged(sealed):
        return True
    progress.remark(f"{path} was damaged or removed since it was written: it is made again.")
    remove(sealed)
    remove(path)
    return False


def write_series(path: Path, values: pd.Series) -> None:
    """Write texts or metadata indexed by ad id to a Parquet file, and its seal."""
    with written_whole(path) as temporary:
        frame = pd.DataFrame({"value": values})
        frame.index.name = "id"
        frame.to_parquet(temporary)
    seal(path.with_name(path.name + ENDING), [path])


def write_ragged(path: Path, ids: pd.Index, arrays: Sequence[np.ndarray]) -> None:
    """Write one array per ad, equal in dtype and in all but the first dimension, to a folder.

    A seal lies beside it.
    """
    with folder_written_whole(path) as folder:
        offsets = np.concatenate([[0], np.cumsum([len(array) for array in arrays])])
        pd.DataFrame({"id": ids}).to_parquet(folder / "ids.parquet")
        np.save(folder / "offsets.npy", offsets.astype(np.int64))
        np.save(folder / "values.npy", np.concatenate(arrays))
    seal(path.with_name(path.name + ENDING), sorted(path.iterdir()))


def write_refs(path: Path, refs: pd.Series) -> None:
    """Write a column of `ArrayRef` or None, indexed by ad id: the places, not the arrays."""
    rows = {
        ad: {} if ref is None else {"path": str(ref.path.resolve()), **_place(ref)}
        for ad, ref in refs.items()
    }
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["path", "start", "rows", "dims"])
    frame.index.name = "id"
    if path.is_dir():  # nothing of worth: a cache is made again
        remove(path)
    with written_whole(path) as temporary:
        frame.to_parquet(temporary)


def _place(ref: ArrayRef) -> dict[str, int]:
    return {"start": ref.start, "rows": ref.rows, "dims": ref.dims}


def read_columns(columns: Sequence[Column]) -> pd.DataFrame:
    """Read columns into one frame indexed by ad id; cells of ragged columns are array views.

    Raises
    ------
    StoreError
        If a file is absent or damaged.
    """
    series = {}
    for column in columns:
        try:
            series[column.name] = _read(column.path)
        except (OSError, ValueError, KeyError) as bad:
            raise StoreError(
                f"The cached column {column.path} was changed or removed while it was in use "
                f"({bad}). Run again: it is made again."
            ) from bad
    return pd.DataFrame(series)


def _read(path: Path) -> pd.Series:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)["value"]
    if path.suffix == ".refs":
        return _read_refs(path)
    ids = pd.read_parquet(path / "ids.parquet")["id"]
    offsets = np.load(path / "offsets.npy", allow_pickle=False)
    values = np.load(path / "values.npy", mmap_mode="r", allow_pickle=False)
    if len(offsets) != len(ids) + 1 or offsets[-1] != len(values):
        raise ValueError("its files do not belong together")
    cells = np.empty(len(ids), dtype=object)
    for row, (start, end) in enumerate(itertools.pairwise(offsets)):
        cells[row] = values[start:end]
    return pd.Series(cells, index=pd.Index(ids, name="id"))


def _read_refs(path: Path) -> pd.Series:
    refs = pd.read_parquet(path)
    shards = {
        shard: np.load(shard, mmap_mode="r", allow_pickle=False)
        for shard in refs["path"].dropna().unique()
    }
    cells = np.empty(len(refs), dtype=object)
    for row, (shard, start, rows, dims) in enumerate(refs.itertuples(index=False)):
        if isinstance(shard, str):
            first, n_rows, n_dims = int(start), int(rows), int(dims)
            cells[row] = shards[shard][first : first + n_rows * n_dims].reshape(n_rows, n_dims)
    return pd.Series(cells, index=refs.index)
