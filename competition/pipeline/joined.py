"""Level-1 predictions joined to one array, in a file mapped into memory where they are large.

To read hundreds of models from Parquet, look for leaks and fill in what lacks takes half a minute.
So what `stack_input` has made of them is kept beside them, and read by the next stack or page:

::

    oof/<dataset>/.joined/<digest>.train     float32, (n_train, n_models, n_tags), without a header
    oof/<dataset>/.joined/<digest>.test      float32, (n_test, n_models, n_tags)
    oof/<dataset>/.joined/<digest>.json      folds that stand out, and digests of these two

The name is a digest of all that the arrays are made from, and the files of the models are compared
with their cards each time, so that what was changed is never read here. The JSON is written last:
without it nothing is kept. One set of models is kept at a time, and the folder may be removed at
any time: whoever uses a file has a name of its own for it.
"""

import errno
import json
import math
import os
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from competition.datasets.base import AdDataset
from competition.evaluation.leaks import StandingOut
from competition.oof.cards import ExternalCard, ModelCard
from competition.oof.fold_files import shared_components
from competition.oof.store import OofStore
from competition.utils.errors import StoreError, WriteError
from competition.utils.files import digest, file_digest, remove, why_not_written, written_whole
from competition.utils.processes import another_lives, this_process
from competition.utils.source_digest import source_digest

LARGE = 2**29  # bytes: predictions of more are read from a file, not held in memory
KEPT = ".joined"  # folder
BLOCK = 2**24  # bytes
MADE_BY = "competition.pipeline.stack_input"
_mapped: set[str] = set()  # names of the files that this process has mapped


@dataclass(frozen=True, eq=False)
class Joined:
    """Predictions of several models, with what is expected in place of what lacks or has leaked.

    Attributes
    ----------
    train : ndarray of shape (n_train, n_models, n_tags), dtype float32
    test : ndarray of shape (n_test, n_models, n_tags), dtype float32
    leaked : mapping of int to StandingOut
        The fold of each model that has one, by the model's position.
    """

    train: np.ndarray
    test: np.ndarray
    leaked: Mapping[int, StandingOut]


def read_joined(store: OofStore, cards: Sequence[ModelCard], dataset: AdDataset) -> Joined | None:
    """Return what is kept of just these models; None where it is absent, damaged or not current."""
    shape = _shape(store, cards)
    if math.prod(shape) * 4 <= LARGE or not (store.folder / KEPT).is_dir():
        return None
    train, test, about = _files(store, cards, dataset)
    if not about.is_file():
        return None
    try:
        own = _own_name(store.folder)
    except OSError:  # a folder that may only be read
        return None
    try:
        said = json.loads(about.read_text("utf-8"))
        leaked = {int(place): StandingOut(**one) for place, one in said["leaked"].items()}
        for card in cards:
            store.verify(card.model, card)
        own.unlink()
        os.link(train, own)
        if [file_digest(own), file_digest(test)] == [said["train"], said["test"]]:
            values = np.fromfile(test, np.float32).reshape(-1, *shape[1:])
            return Joined(_mapping(own, shape, "r"), values, leaked)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, StoreError):
        pass  # it is made anew, which says what is wrong with a model
    _remove(own)
    return None


def write_joined(
    joined: Joined, store: OofStore, cards: Sequence[ModelCard], dataset: AdDataset
) -> None:
    """Keep what was made of these models, if it is large, in place of what was kept before.

    Where the file system gives no file a second name, or the disk is full, nothing is kept.
    """
    mapped = joined.train
    if not isinstance(mapped, np.memmap) or mapped.filename is None:
        return
    mapped.flush()
    train, test, about = _files(store, cards, dataset)
    try:
        with written_whole(test, to_disk=False) as temporary:
            joined.test.tofile(temporary)
        with written_whole(train, to_disk=False) as temporary:
            temporary.unlink()
            os.link(mapped.filename, temporary)
        said = {
            "leaked": {str(place): asdict(one) for place, one in joined.leaked.items()},
            "train": file_digest(train),
            "test": file_digest(test),
        }
        with written_whole(about, to_disk=False) as temporary:
            temporary.write_text(json.dumps(said), "utf-8")
        for other in about.parent.iterdir():
            if other.name.partition(".")[0] not in ("", about.stem):
                other.unlink(missing_ok=True)
    except (OSError, WriteError):
        if not about.is_file():  # without it nothing is kept, so nothing is left either
            remove(test)
            remove(train)


def room(shape: tuple[int, int, int], folder: Path) -> np.ndarray:
    """Return an array to be filled, in a file mapped into memory if it is large.

    The file lies in `folder` and goes with the array. Where no file may be made there, the array
    stays in memory.
    """
    if math.prod(shape) * 4 <= LARGE:
        return np.empty(shape, dtype=np.float32)
    try:
        path = _own_name(folder)
    except OSError as bad:
        if bad.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise WriteError(f"{folder} cannot be written: {why_not_written(folder, bad)}") from bad
        return np.empty(shape, dtype=np.float32)
    try:
        with path.open("r+b") as file:
            _take_room(file, math.prod(shape) * 4)
    except OSError as bad:
        _remove(path)
        raise WriteError(f"{path} cannot be written: {why_not_written(path, bad)}") from bad
    return _mapping(path, shape, "r+")


def _take_room(file: BinaryIO, size: int) -> None:
    """Take so many bytes of the disk: a sparse file would end the process where that is full."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    zeros = memoryview(bytes(min(size, BLOCK)))  # macOS has no such call
    for start in range(0, size, BLOCK):
        file.write(zeros[: size - start])


def _mapping(path: Path, shape: tuple[int, int, int], mode: Literal["r", "r+"]) -> np.memmap:
    """Map a file of this process, which goes with the array."""
    mapped = np.memmap(path, dtype=np.float32, mode=mode, shape=shape)
    weakref.finalize(mapped.base, _remove, path)
    return mapped


def _own_name(folder: Path) -> Path:
    """Return a new file of this process; remove those of processes that were killed."""
    for left in folder.glob(".stacked.*.tmp"):
        host, number, *_ = left.name.removeprefix(".stacked.").rsplit(".", 3)
        if left.name not in _mapped and not another_lives(f"{host}:{number}"):
            remove(left)
    process = this_process().replace(":", ".")
    handle, name = tempfile.mkstemp(prefix=f".stacked.{process}.", suffix=".tmp", dir=folder)
    os.close(handle)
    _mapped.add(Path(name).name)
    return Path(name)


def _remove(mapped: Path) -> None:
    mapped.unlink(missing_ok=True)
    _mapped.discard(mapped.name)


def _shape(store: OofStore, cards: Sequence[ModelCard]) -> tuple[int, int, int]:
    return (len(store.folds.ids), len(cards), len(store.tags))


def _files(
    store: OofStore, cards: Sequence[ModelCard], dataset: AdDataset
) -> tuple[Path, Path, Path]:
    """Training ads, test ads, and what is said of them: paths with a digest of all that counts."""
    made_from = digest(
        shared_components(dataset, store.folds),
        dataset.submission.top_k,
        [[card.model, card.fingerprint, card.files, card.fold_offsets] for card in cards],
        [[*card.lacking] if isinstance(card, ExternalCard) else [] for card in cards],
        source_digest(MADE_BY),
    )
    whole = store.folder / KEPT / made_from
    return whole.with_suffix(".train"), whole.with_suffix(".test"), whole.with_suffix(".json")
