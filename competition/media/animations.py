"""Animated WebP as films: FFmpeg, which reads animated GIF, PNG and AVIF, cannot decode it."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from competition.media.images import opened_image, to_rgb
from competition.media.opening import check_file

if TYPE_CHECKING:
    from PIL.Image import Image

SHORTEST = 11  # milliseconds; browsers show a picture of a shorter time for USUAL
USUAL = 100  # milliseconds


def is_webp(path: Path) -> bool:
    """Say whether a file is a picture or an animation in WebP.

    Raises
    ------
    MediaError
        If the file does not exist or is empty.
    """
    check_file(path)
    with path.open("rb") as file:
        start = file.read(12)
    return start[:4] == b"RIFF" and start[8:] == b"WEBP"


def animation(path: Path) -> Iterator[tuple["Image", Fraction]]:
    """Yield the pictures of a WebP file as RGB, each with the second until which it is on show.

    Transparent areas become white. A picture alone is on show for a tenth of a second.

    Raises
    ------
    MediaError
        If the file is damaged, or has pictures of a single pixel or of too many.
    """
    with opened_image(path) as image:
        end = Fraction(0)
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            image.load()
            shown = int(image.info.get("duration", 0))
            end += Fraction(shown if shown >= SHORTEST else USUAL, 1000)
            yield to_rgb(image), end
