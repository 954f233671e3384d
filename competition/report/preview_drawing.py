"""Small pictures of an ad's files, drawn by processes of their own: nothing heavy is imported."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from competition.media.frames import read_frames
from competition.media.images import opened_image, read_image
from competition.media.probe import stated
from competition.media.sound import read_sound
from competition.utils.errors import MediaError
from competition.utils.files import written_whole

if TYPE_CHECKING:
    from PIL.Image import Image

    from competition.datasets.base import InputKind

HEIGHT = 132  # pixels of a strip; a poster is twice as high
QUALITY = 55
SOUND_QUALITY = 30
SOUND_SIZE = (280, 40)
SECONDS_HEARD = 30
FRAMES = 6  # of a film
SIDE = 240  # pixels of a picture's shorter side
USUAL_SECONDS = 10.0  # of a film whose length is unknown


@dataclass(frozen=True)
class FileOfAd:
    """A file of an input of kind image, video or audio.

    Attributes
    ----------
    kind : {"image", "video", "audio"}
    path : Path
    name : str
        As the dataset calls it.
    """

    kind: "InputKind"
    path: Path
    name: str


@dataclass(frozen=True)
class Preview:
    """What is shown of an ad's files; bytes of WebP images, empty where there is none.

    Attributes
    ----------
    picture, sound : bytes
    size : tuple of int
        Width and height of the picture, in pixels.
    n_frames : int
        Pictures in the strip; 1 of a poster.
    unread : str
        Why there is no picture although the ad has a file.
    """

    picture: bytes = b""
    sound: bytes = b""
    size: tuple[int, int] = (0, 0)
    n_frames: int = 0
    unread: str = ""


def made(ads: Sequence[tuple[str, tuple[FileOfAd, ...], Path | None]]) -> dict[str, Preview]:
    """Draw the previews of some ads, given by their files, and keep each under its path."""
    found = {}
    for ad, files, path in ads:
        found[ad] = preview = drawn(files)
        if path is None:
            continue
        with written_whole(path, to_disk=False) as temporary:
            temporary.write_bytes(_packed(preview))
    return found


def _packed(preview: Preview) -> bytes:
    """A line of JSON, then the bytes of the pictures."""
    images = preview.picture + preview.sound
    head = {
        "size": preview.size,
        "n_frames": preview.n_frames,
        "unread": preview.unread,
        "bytes": [len(preview.picture), len(preview.sound)],
        "checksum": crc32(images),
    }
    return json.dumps(head).encode() + b"\n" + images


def kept(path: Path) -> Preview | None:
    """Read a preview that is kept; None where it is absent or damaged."""
    try:
        line, _, images = path.read_bytes().partition(b"\n")
        head = json.loads(line)
        if crc32(images) != head["checksum"]:
            return None
        of_picture, of_sound = head["bytes"]
        width, height = head["size"]
        return Preview(
            images[:of_picture],
            images[of_picture : of_picture + of_sound],
            (width, height),
            head["n_frames"],
            head["unread"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def drawn(files: tuple[FileOfAd, ...]) -> Preview:
    pictures, unread = pictures_of(files, 2 * HEIGHT)
    image = strip(pictures) if pictures else None
    return Preview(
        webp(image) if image else b"",
        _spectrogram(files),
        image.size if image else (0, 0),
        len(pictures),
        unread,
    )


def strip(pictures: list[np.ndarray]) -> "Image":
    """Put pictures of one height side by side; a single one is drawn larger."""
    from PIL import Image

    height = HEIGHT if len(pictures) > 1 else 2 * HEIGHT
    scaled = []
    for picture in pictures:
        image = Image.fromarray(picture)
        # A panorama is no wider than four times the height of the strip, in its own proportions.
        scale = min(1.0, height / image.height, 4 * height / image.width)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        scaled.append(image.resize(size, Image.Resampling.HAMMING))
    whole = Image.new("RGB", (sum(one.width for one in scaled), max(one.height for one in scaled)))
    x = 0
    for one in scaled:
        whole.paste(one, (x, 0))
        x += one.width
    return whole


def webp(image: "Image", scale: float = 1.0, quality: int = QUALITY) -> bytes:
    """Encode an image as WebP, scaled down."""
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size)
    written = BytesIO()
    image.save(written, "WEBP", quality=quality, method=2)
    return written.getvalue()


def smaller(picture: bytes, scale: float) -> bytes:
    """Return a WebP image scaled down."""
    from PIL import Image

    with Image.open(BytesIO(picture), formats=["WEBP"]) as image:
        return webp(image, scale)


def _spectrogram(files: tuple[FileOfAd, ...]) -> bytes:
    """Draw the log-mel spectrogram of the first sound that can be heard, light on dark."""
    from PIL import Image

    from competition.features.extractors.logmel import RATE, log_mel

    for one in files:
        if one.kind == "image":
            continue
        try:
            chunks = []
            for chunk in read_sound(one.path, RATE):
                chunks.append(chunk)
                if sum(map(len, chunks)) >= SECONDS_HEARD * RATE:
                    break
            bands = np.concatenate(list(log_mel(chunks)))
        except MediaError:
            continue
        if np.ptp(bands) < 1e-6:  # silence
            continue
        low, high = np.percentile(bands, [5, 99.5])
        grey = np.clip((bands.T[::-1] - low) / max(high - low, 1e-6), 0, 1)
        image = Image.fromarray((255 * grey).astype(np.uint8)).resize(SOUND_SIZE)
        return webp(image.convert("RGB"), quality=SOUND_QUALITY)
    return b""


def pictures_of(
    files: Sequence[FileOfAd], height: int | None = None
) -> tuple[list[np.ndarray], str]:
    """Return the picture, or some frames, of the first file that has any, and why none has.

    Parameters
    ----------
    files : sequence of FileOfAd
    height : int, optional
        Pixels that an image is to have; without it, its shorter side has 240 at most.

    Returns
    -------
    list of ndarray of shape (height, width, 3), dtype uint8
    str
        "" where there are some, or no file is an image or a film.
    """
    why = ""
    for file in files:
        if file.kind == "audio":
            continue
        try:
            return _of_file(file, height), ""
        except MediaError as bad:
            why = f"{file.name}: {bad}"
    return [], why


def _of_file(file: FileOfAd, height: int | None) -> list[np.ndarray]:
    if file.kind == "image":
        side = SIDE
        if height is not None:
            with opened_image(file.path) as image:
                side = max(1, round(height * min(image.width / image.height, 1)))
        return [np.array(read_image(file.path, side))]
    seconds, _ = stated(file.path)
    seconds = seconds if np.isfinite(seconds) and seconds > 0 else USUAL_SECONDS
    every_ms = max(1, round(1000 * seconds / FRAMES))
    return list(islice(read_frames(file.path, every_ms, SIDE), FRAMES))
