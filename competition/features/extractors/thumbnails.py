"""Thumbnails: what a picture shows, in so few pixels that a linear model can read them."""

import numpy as np

from competition.features.base import Extractor, Item
from competition.features.pictures import pictures
from competition.features.registry import extractor
from competition.utils.errors import FeatureError
from competition.utils.parameters import Count

MARGIN = 4  # times the pixels that each side of a thumbnail is averaged from


@extractor("thumbnails", kinds=("image", "video"), gives="array", version=2)
class Thumbnails(Extractor):
    """The colours of each picture on a coarse grid.

    Parameters
    ----------
    every_ms : int
        Milliseconds between two frames of a film.
    side : int
        Cells of the grid, along either side of the picture.
    """

    libraries = ("PIL", "av")

    def __init__(self, every_ms: Count = 500, side: Count = 12) -> None:
        self.every_ms = every_ms
        self.side = side

    def extract_one(self, item: Item) -> np.ndarray:
        """Return the mean red, green and blue of each cell, in [0, 1].

        Returns
        -------
        ndarray of shape (frames, side * side * 3), dtype float16
        """
        if self.side < 1:
            raise FeatureError(f"side is {self.side}; a thumbnail needs 1 cell or more.")
        small = pictures(item, self.every_ms, MARGIN * self.side)
        return np.stack([self._thumbnail(picture) for picture in small])

    def _thumbnail(self, picture: np.ndarray) -> np.ndarray:
        from PIL import Image

        size = (self.side, self.side)
        cells = Image.fromarray(picture).resize(size, Image.Resampling.BOX)
        return (np.asarray(cells).ravel() / 255).astype(np.float16)
