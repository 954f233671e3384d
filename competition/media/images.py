"""Images of any colour model, depth and orientation, as 8-bit RGB."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from competition.media.opening import check_file
from competition.media.sizes import check_size, scaled
from competition.utils.errors import MediaError

if TYPE_CHECKING:
    from PIL.Image import Image

# What Pillow may read: others of its formats start programs (EPS starts Ghostscript), open further
# files, or are no images of ads.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")
HEIC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
# Kinds of files that are taken for images, by their first bytes.
NOT_READ = {
    b"%!PS": "an EPS file",
    b"\xc5\xd0\xd3\xc6": "an EPS file",
    b"%PDF": "a PDF file",
    b"8BPS": "a Photoshop file",
    b"<svg": "an SVG drawing",
    b"<?xml": "an XML file, perhaps an SVG drawing",
    b"<!": "a web page, perhaps of a failed download",
    b"<html": "a web page, perhaps of a failed download",
}

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
    with warnings.catch_warnings(), opened_image(path) as image:
        warnings.simplefilter("ignore")  # about metadata
        # A JPEG file is then decoded at a fraction of its size.
        image.draft(None, scaled(*image.size, side))
        image.load()
        _turn_upright(image)
        rgb = to_rgb(image)
    return shrunk(rgb, side)


def shrunk(image: "Image", side: int | None) -> "Image":
    """Scale an image down so that its shorter side has at most `side` pixels."""
    size = scaled(*image.size, side)
    return image if image.size == size else image.resize(size, reducing_gap=2)


@contextmanager
def opened_image(path: Path) -> Iterator["Image"]:
    """Open an image file in one of `FORMATS`; what fails while it is open is a MediaError.

    Raises
    ------
    MediaError
        See `read_image`.
    """
    from PIL import Image, UnidentifiedImageError

    check_file(path)
    start = b""
    try:
        with path.open("rb") as file:
            start = file.read(64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata; sizes are checked below
            image = Image.open(path, formats=_formats(start))
        with image:
            check_size(*image.size)
            yield image
    except UnidentifiedImageError as bad:
        raise MediaError(_why_unknown(start)) from bad
    except Image.DecompressionBombError as bad:
        raise MediaError(str(bad)) from bad
    except DAMAGE as bad:
        raise MediaError(f"it is damaged ({str(bad) or type(bad).__name__})") from bad


def _formats(start: bytes) -> list[str]:
    """Return what an image that starts thus may be; register HEIC where it is needed."""
    if not _is_heic(start):
        return list(FORMATS)
    if find_spec("pillow_heif") is None:
        raise MediaError(
            "it is a HEIC image; convert it to JPEG or PNG, or install the package pillow-heif"
        )
    from pillow_heif import register_heif_opener

    register_heif_opener()
    return ["HEIF"]


def _is_heic(start: bytes) -> bool:
    # AVIF may start in the same way and be named further on.
    return start[4:8] == b"ftyp" and start[8:12] in HEIC_BRANDS and b"avif" not in start


def _why_unknown(start: bytes) -> str:
    if _is_heic(start):
        return "it is a HEIC image that is damaged or in an unknown form; convert it to JPEG or PNG"
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    for mark, name in NOT_READ.items():
        if text.startswith(mark):
            return f"it is {name}, which is not read as an image; convert it to JPEG or PNG"
    return f"it is no image of a known format ({', '.join(FORMATS)})"


def _turn_upright(image: "Image") -> None:
    from PIL import ImageOps

    # Damaged EXIF data give no orientation; the pixels have been read before.
    with suppress(*DAMAGE):
        ImageOps.exif_transpose(image, in_place=True)


def to_rgb(image: "Image") -> "Image":
    """Convert an image of any colour model; transparent areas become white."""
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
