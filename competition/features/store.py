"""The store of features: one extraction per file content, kept in memory-mapped shards.

::

    cache/features/<extractor>-<fingerprint>/
        about.json              extractor, version, parameters, digests of its files, versions of
                                what decodes and prepares
        <shard>.parquet         key (digest of the file's content), error, and the feature:
                                start, rows, dims of an array; text; metadata
        <shard>.npy             the arrays of the shard, one after another, flat
        <shard>.seal            checksums of these files (`competition.utils.seals`)

A shard appears with its seal, which is written last. One that is not as it was sealed is removed,
and its items are extracted again. As the key is a digest of the content, datasets share features,
and a renamed or copied file keeps its feature.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from competition.datasets.base import InputKind
from competition.features.base import Extracted, Extractor
from competition.features.registry import ExtractorEntry
from competition.utils.errors import MediaError, StoreError
from competition.utils.files import digest, file_digest, remove, write_json, written_whole
from competition.utils.seals import ENDING, damaged, seal

SHOWN_DIGITS = 16


@dataclass(frozen=True)
class ArrayRef:
    """The place of an ad's array on disk.

    Attributes
    ----------
    feature : str
        Fingerprint of the extractor's setting.
    key : str
        Digest of the content that the array was extracted from.
    path : Path
        A flat .npy file.
    start, rows, dims : int
        The array is ``values[start : start + rows * dims]``, of shape (rows, dims).
    """

    feature: str
    key: str
    path: Path
    start: int
    rows: int
    dims: int


class Digests:
    """Digests of files, computed again only where size or time of change differ.

    Parameters
    ----------
    path : Path
        A Parquet file, written by `save`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seal = path.with_name(path.name + ENDING)
        self._known: dict[str, tuple[int, int, str]] = {}
        self._changed = False
        if damaged(self._seal):  # or absent: every digest is computed again
            return
        for name, *rest in pd.read_parquet(path).itertuples():
            self._known[name] = tuple(rest)

    def of(self, path: Path) -> str:
        """Return the SHA-256 of a file's content."""
        name, found = str(path.resolve()), path.stat()
        size, changed, known = self._known.get(name, (-1, -1, ""))
        if (size, changed) != (found.st_size, found.st_mtime_ns):
            known = file_digest(path)
            self._known[name] = (found.st_size, found.st_mtime_ns, known)
            self._changed = True
        return known

    def save(self) -> None:
        """Write the file if a digest is new."""
        if self._changed:
            frame = pd.DataFrame.from_dict(
                self._known, orient="index", columns=["size", "changed", "digest"]
            )
            if damaged(self._seal):
                remove(self._seal)
                remove(self._path)
            with written_whole(self._path) as temporary:
                frame.to_parquet(temporary)
            seal(self._seal, [self._path])
            self._changed = False


def feature_settings(
    entry: ExtractorEntry, extractor: Extractor, digests: Digests, kind: InputKind
) -> dict[str, Any]:
    """Return everything but the ads that a feature depends on, as JSON can hold it.

    The content of a file that a parameter names enters, not its path: a checkpoint may be moved.

    Parameters
    ----------
    entry : ExtractorEntry
    extractor : Extractor
    digests : Digests
    kind : str
        Of the input that is read.
    """
    files = sorted(extractor.files())
    places = {*files, *(path.parent for path in files)}
    params = {
        name: "its files" if isinstance(value, str | Path) and Path(value) in places else value
        for name, value in extractor.get_params(deep=False).items()
        if name not in extractor.not_counted
        and not (name in extractor.neutral and digest(value) == digest(extractor.neutral[name]))
    }
    settings = {
        "extractor": entry.name,
        "version": entry.version,
        "parameters": params,
        "files": [[path.name, digests.of(path)] for path in files],
    }
    prepared_by = extractor.prepared_by(kind)
    return {**settings, "prepared by": prepared_by} if prepared_by else settings


class FeatureStore:
    """The features by key that one extractor makes with one set of parameters.

    Parameters
    ----------
    root : Path
        The folder ``cache/features``.
    settings : dict
        As returned by `feature_settings`.
    """

    def __init__(self, root: Path, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.fingerprint = digest(settings)
        self.folder = root / f"{settings['extractor']}-{self.fingerprint[:SHOWN_DIGITS]}"

    def remove_damaged(self) -> int:
        """Remove the shards that are not as they were sealed; return how many there were."""
        bad = [path for path in self.folder.glob(f"*{ENDING}") if damaged(path)]
        for path in bad:
            for file in self.folder.glob(f"{path.stem}.*"):
                remove(file)
        return len(bad)

    def read(self) -> pd.DataFrame:
        """Read all stored features, indexed by key.

        Returns
        -------
        DataFrame
            Columns ``error`` (str, "" for a success), ``shard`` (str) and those of the shards. A
            key in two shards has one row.

        Raises
        ------
        StoreError
            If a shard is damaged.
        """
        frames = []
        for path in sorted(self.folder.glob(f"*{ENDING}")):
            bad = damaged(path)
            if bad:
                raise StoreError(
                    f"{path.with_name(bad[0])} was changed or removed while it was in use. Run "
                    "again: its ads are extracted again."
                )
            frames.append(pd.read_parquet(path.with_suffix(".parquet")).assign(shard=path.stem))
        if not frames:
            return pd.DataFrame({"error": [], "shard": []}, index=pd.Index([], name="key"))
        found = pd.concat(frames)
        return found[~found.index.duplicated()]

    def write(self, keys: Sequence[str], results: Sequence[Extracted]) -> None:
        """Write one shard."""
        shard = digest(sorted(keys))[:SHOWN_DIGITS]
        rows: list[dict[str, Any]] = []
        arrays: list[np.ndarray] = []
        start = 0
        for result in results:
            if isinstance(result, MediaError):
                rows.append({"error": str(result) or type(result).__name__})
            elif isinstance(result, str):
                rows.append({"error": "", "text": result})
            elif isinstance(result, dict):
                rows.append({"error": "", **result})
            else:
                n_rows, dims = result.shape
                rows.append({"error": "", "start": start, "rows": n_rows, "dims": dims})
                arrays.append(np.ascontiguousarray(result).ravel())
                start += result.size
        files = [self.folder / f"{shard}.parquet"]
        if arrays:
            with (
                written_whole(self.folder / f"{shard}.npy") as temporary,
                temporary.open("wb") as file,
            ):
                np.save(file, np.concatenate(arrays))
            files.append(self.folder / f"{shard}.npy")
        with written_whole(files[0]) as temporary:
            pd.DataFrame(rows, index=pd.Index(keys, name="key")).to_parquet(temporary)
        seal(self.folder / f"{shard}{ENDING}", files)
        if not (self.folder / "about.json").exists():
            write_json(self.folder / "about.json", self.settings)

    def array(self, row: Any) -> np.ndarray:
        """Read the array of a row of `read`, of shape (rows, dims)."""
        values = np.load(self.folder / f"{row.shard}.npy", mmap_mode="r", allow_pickle=False)
        start, n_rows, n_dims = int(row.start), int(row.rows), int(row.dims)
        return np.array(values[start : start + n_rows * n_dims]).reshape(n_rows, n_dims)

    def ref(self, key: str, row: Any) -> ArrayRef:
        """Return the place of the array of a row of `read`."""
        path = self.folder / f"{row.shard}.npy"
        return ArrayRef(self.fingerprint, key, path, int(row.start), int(row.rows), int(row.dims))
