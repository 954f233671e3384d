"""Arrays that a dataset brings: checked, and used as they are."""

import numpy as np

from competition.errors import MediaError
from competition.features.base import Extractor, Item
from competition.features.registry import extractor


@extractor("npy", kinds=("array",), gives="array", version=1)
class Npy(Extractor):
    """Numbers of shape (time, dims) from an .npy file; one row for a plain vector."""

    parallel = False

    def extract_one(self, item: Item) -> np.ndarray:
        """Return an array of shape (time, dims), float32, or float16 where the file has it."""
        try:
            array = np.load(item.path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as bad:
            reason = str(bad)
            if "pickle" in reason.lower():
                reason = "it holds pickled objects, which may run code, or is no .npy file"
            raise MediaError(f"{reason}. Save the numbers alone, by numpy.save.") from bad
        if not isinstance(array, np.ndarray):
            array.close()
            raise MediaError("it is an archive of arrays (.npz); save one array, by numpy.save.")
        if array.ndim == 1:
            array = array[None, :]
        if array.ndim != 2 or array.dtype.kind not in "fiu" or not array.size:
            raise MediaError(
                f"expected numbers of shape (time, dims), found {array.dtype} of {array.shape}"
            )
        array = array.astype(np.float16 if array.dtype == np.float16 else np.float32)
        bad_rows = np.flatnonzero(~np.isfinite(array).all(axis=1))
        if len(bad_rows):
            raise MediaError(
                f"{len(bad_rows)} of {len(array)} rows hold NaN or infinity, the first row "
                f"{bad_rows[0]}"
            )
        return array
