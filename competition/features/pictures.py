"""The pictures of an item: one of an image, many of a film."""

from collections.abc import Iterator

import numpy as np

from competition.features.base import Item
from competition.media.frames import read_frames
from competition.media.images import read_image
from competition.utils.errors import FeatureError


def pictures(item: Item, every_ms: int, side: int | None = None) -> Iterator[np.ndarray]:
    """Yield the image, or the frames that a film shows at 0, every_ms, 2 * every_ms, ....

    Parameters
    ----------
    item : Item
        Of kind image or video.
    every_ms : int
        Milliseconds between two frames of a film.
    side : int, optional
        Larger pictures are scaled so that their shorter side has this many pixels. Scaling here
        is far cheaper than scaling the result.

    Yields
    ------
    ndarray of shape (height, width, 3), dtype uint8
        Red, green, blue.

    Raises
    ------
    MediaError
        If no picture can be decoded.
    FeatureError
        If `every_ms` is less than 1.
    """
    if every_ms < 1:
        raise FeatureError(f"every_ms is {every_ms}; set it to 1 millisecond or more.")
    if item.kind == "image":
        return iter([np.array(read_image(item.path, side))])
    return read_frames(item.path, every_ms, side)
