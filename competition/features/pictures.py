"""Stand-in until the media layer lands."""

from collections.abc import Iterator

import numpy as np

from competition.errors import MediaError
from competition.features.base import Item


def pictures(item: Item, every_ms: int) -> Iterator[np.ndarray]:
    """Frames."""
    if item.kind == "image":
        from PIL import Image

        try:
            yield np.asarray(Image.open(item.path).convert("RGB"))
        except OSError as bad:
            raise MediaError(str(bad)) from bad
        return
    import av

    try:
        with av.open(str(item.path)) as container:
            due = 0.0
            for frame in container.decode(video=0):
                if frame.time is not None and frame.time >= due:
                    due += every_ms / 1000
                    yield frame.to_ndarray(format="rgb24")
    except av.FFmpegError as bad:
        raise MediaError(str(bad)) from bad
