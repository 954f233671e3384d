"""Images of any colour model, depth and orientation, as 8-bit RGB."""

import struct
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from competition.media.opening import check_file
from competition.media.sizes import check_size, scaled
from competition.utils.errors import MediaError

if TYPE_CHECKING:
    from PIL.Image import Image

# Exceptions that Pillow raises on damaged files.
DAMAGE: tuple[type[Exception], ...] = (
    OSError,
    ValueError,
    SyntaxError,
    LookupError,
    TypeError,
    ArithmeticError,
    RuntimeError,
    struct.error,
)


def read_image(path: Path, side: int | None = None) -> "Image":
    """Read an image file as RGB, the right way up.

    CMYK, palettes and 16-bit grey are converted; transparent areas become white; the orientation in
    the EXIF data is applied. An animation gives its first picture.

    Parameters
    ----------
    path : Path
    side : int, optional
        A larger image is scaled so that its shorter side has this many pixels.

    Returns
    -------
    PIL.Image.Image of mode RGB

    Raises
    ------
    MediaError
        If the file cannot be opened or is damaged, or if the image has a single pixel or more than
        `competition.media.sizes.MAX_PIXELS`.
    """
    from PIL import Image, UnidentifiedImageError

    check_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata; sizes are checked below
            with Image.open(path) as image:
                check_size(*image.size)
                # A JPEG file is then decoded at a fraction of its size.
                image.draft(None, scaled(*image.size, side))
                image.load()
                _turn_upright(image)
                rgb = _to_rgb(image)
    except UnidentifiedImageError as bad:
        raise MediaError("it is no image of a known format") from bad
    except Image.DecompressionBombError as bad:
        raise MediaError(str(bad)) from bad
    except DAMAGE as bad:
        raise MediaError(f"it is damaged ({str(bad) or type(bad).__name__})") from bad
    size = scaled(*rgb.size, side)
    return rgb if rgb.size == size else rgb.resize(size, reducing_gap=2)


def _turn_upright(image: "Image") -> None:
    from PIL import ImageOps

    # Damaged EXIF data give no orientation; the pixels have been read before.
    with suppress(*DAMAGE):
        ImageOps.exif_transpose(image, in_place=True)


def _to_rgb(image: "Image") -> "Image":
    from PIL import Image

    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):  # these modes define no white: the brightest pixel becomes white
        values = np.nan_to_num(np.asarray(image, dtype=np.float64))
        values -= values.min()
        values *= 255 / (values.max() or 1)
        return Image.fromarray(values.round().astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        opaque = Image.new("RGB", image.size, "white")
        rgba = image.convert("RGBA")
        opaque.paste(rgba, mask=rgba)
        return opaque
    return image.convert("RGB")
