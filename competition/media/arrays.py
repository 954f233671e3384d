"""Arrays of numbers from .npy files, which nobody can make run code."""

from pathlib import Path

import numpy as np

from competition.errors import MediaError
from competition.media.opening import check_file


def read_array(path: Path) -> np.ndarray:
    """Read numbers of shape (time, dims); a plain vector becomes one row.

    Returns
    -------
    ndarray of shape (time, dims), dtype float32, or float16 where the file has it

    Raises
    ------
    MediaError
        If the file is no .npy file, is cut short, holds objects (which only pickle could read), or
        is not of such a shape and finite.
    """
    check_file(path)
    with path.open("rb") as file:
        start = file.read(6)
    if start[:2] == b"PK":
        raise MediaError("it is an archive of arrays (.npz); save one array, by numpy.save")
    if start != b"\x93NUMPY":
        raise MediaError("it is no .npy file; save the numbers by numpy.save")
    try:
        # Mapped, a header that promises more than the file holds costs no memory.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, OverflowError) as bad:
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
    with np.errstate(over="ignore"):  # what float32 cannot hold is found below
        numbers = np.array(array, dtype=np.float16 if array.dtype == np.float16 else np.float32)
    bad_rows = np.flatnonzero(~np.isfinite(numbers).all(axis=1))
    if len(bad_rows):
        raise MediaError(
            f"{len(bad_rows)} of {len(numbers)} rows hold NaN or infinity, the first row "
            f"{bad_rows[0]}"
        )
    return numbers
