"""Arrays that a dataset brings: checked, and used as they are."""

import numpy as np

from competition.features.base import Extractor, Item
from competition.features.registry import extractor
from competition.media.arrays import read_array


@extractor("npy", kinds=("array",), gives="array", version=1)
class Npy(Extractor):
    """Numbers of shape (time, dims) from an .npy file; one row for a plain vector."""

    parallel = False

    def extract_one(self, item: Item) -> np.ndarray:
        """Return an array of shape (time, dims), float32, or float16 where the file has it."""
        return read_array(item.path)
