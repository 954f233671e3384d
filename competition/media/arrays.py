"""Arrays of numbers from .npy and .npz files, read without pickle, which may run code."""

import ast
import lzma
import math
import struct
import tempfile
import traceback
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from tokenize import TokenError

import numpy as np

from competition.media.opening import check_file
from competition.utils.errors import MediaError

# Names of the features in published archives, which hold boxes and other arrays too.
FEATURES = ("features", "feat", "x")
LARGEST = 2**30  # bytes of an unpacked array of an archive


# What zipfile and numpy raise on damaged archives and headers.
_DAMAGED = (
    *(OSError, ValueError, EOFError, OverflowError, RecursionError, TypeError),
    *(KeyError, AttributeError, SyntaxError, TokenError, RuntimeError, struct.error),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)


def read_array(path: Path) -> np.ndarray:
    """Read numbers of shape (time, dims); a plain vector becomes one row.

    From an archive (.npz) it reads the array called features, feat or x.

    Returns
    -------
    ndarray of shape (time, dims), dtype float32, or float16 where the file has it

    Raises
    ------
    MediaError
        If the file is not a .npy or .npz file, is cut short, holds objects (which only pickle can
        read), or its array has another shape or values that are not finite.
    """
    check_file(path)
    with path.open("rb") as file:
        start = file.read(6)
    if start[:2] == b"PK":
        return _read_archived(path)
    if start != b"\x93NUMPY":
        raise MediaError("it is no .npy file; save the numbers by numpy.save")
    try:
        # A mapped file takes no memory for a header that promises more than the file holds.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except MemoryError as bad:
        raise _as_damage(bad) from None
    except _DAMAGED as bad:
        reason = f"it is damaged ({bad})"
        if "Python objects" in str(bad):
            reason = "it holds pickled objects, which may run code; save numbers, by numpy.save"
        raise MediaError(reason) from bad
    if array.ndim == 1:
        array = array[None, :]
    if array.ndim != 2 or array.dtype.kind not in "fiu" or not array.size:
        raise MediaError(
            f"expected numbers of shape (time, dims), found {array.dtype} of {array.shape}"
        )
    with np.errstate(
        over="ignore"
    ):  # float32 turns too large values into infinity, which is reported below
        numbers = np.array(array, dtype=np.float16 if array.dtype == np.float16 else np.float32)
    bad_rows = np.flatnonzero(~np.isfinite(numbers).all(axis=1))
    if len(bad_rows):
        raise MediaError(
            f"{len(bad_rows)} of {len(numbers)} rows hold NaN or infinity, the first row "
            f"{bad_rows[0]}"
        )
    return numbers


def _read_archived(path: Path) -> np.ndarray:
    # Unpacked to a file, the array passes the checks of any other file.
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
                member = next((f"{name}.npy" for name in FEATURES if f"{name}.npy" in names), None)
                if member is None:
                    raise MediaError(
                        f"it is an archive of arrays, none of them called {', '.join(FEATURES)}; "
                        "save one array, by numpy.save"
                    )
                _check_size(archive, member)
                unpacked = Path(archive.extract(member, folder))
        except MemoryError as bad:
            raise _as_damage(bad) from None
        except _DAMAGED as bad:
            raise MediaError(f"it is a damaged archive ({bad})") from bad
        return read_array(unpacked)


def read_archive(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Read some arrays of an archive (.npz), as they are; those that are absent are left out.

    Raises
    ------
    MediaError
        If the file is no archive, is damaged or unpacks to too much, or an array holds objects.
    """
    check_file(path)
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            there = archive.namelist()
            for name in names:
                member = f"{name}.npy"
                if member not in there:
                    continue
                _check_size(archive, member)
                with archive.open(member) as file:
                    arrays[name] = np.lib.format.read_array(file, allow_pickle=False)
    except MemoryError as bad:
        raise _as_damage(bad) from None
    except _DAMAGED as bad:
        raise MediaError(f"it is no archive of arrays, or damaged ({bad})") from bad
    return arrays


def _as_damage(bad: MemoryError) -> MediaError:
    """Return what a file is to blame for; raise the error itself where memory has run out.

    A header that promises too much asks for more than any array has, and Python's parser says the
    same of one that is nested too deeply.
    """
    shape, dtype = getattr(bad, "shape", ()), getattr(bad, "dtype", np.uint8)
    asked_for = math.prod(shape) * np.dtype(dtype).itemsize
    where = traceback.extract_tb(bad.__traceback__)[-1].filename
    if asked_for <= LARGEST and where != ast.__file__:
        raise bad
    return MediaError(f"it is damaged ({str(bad) or 'its header is nested too deeply'})")


def _check_size(archive: zipfile.ZipFile, member: str) -> None:
    size = archive.getinfo(member).file_size
    if size > LARGEST:
        raise MediaError(f"its {member} has {size} bytes; at most {LARGEST} are read")
