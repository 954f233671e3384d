"""Small pictures for the page: a poster or a strip of frames, and a sound as its spectrogram.

They are kept in ``cache/previews/`` by the digest of the file that they show.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from competition.datasets.base import AdDataset
from competition.execution.local import run_tasks
from competition.features.store import Digests
from competition.media.sound import read_sound
from competition.report.ad import FileOfAd, files_of_ad, pictures_of
from competition.utils.errors import MediaError
from competition.utils.extras import lacking
from competition.utils.files import digest, written_whole
from competition.utils.progress import Progress

if TYPE_CHECKING:
    from PIL.Image import Image

VERSION = 5  # of how they are drawn
HEIGHT = 132  # pixels of a strip; a poster is twice as high
QUALITY = 55
SOUND_QUALITY = 30
SOUND_SIZE = (280, 40)
SECONDS_HEARD = 30
AT_ONCE = 8  # ads that a process is given


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


def previews(
    dataset: AdDataset, ads: list[str], cache: Path, n_jobs: int, progress: Progress
) -> dict[str, Preview]:
    """Return what can be shown of each ad's pictures and sound.

    Parameters
    ----------
    dataset : AdDataset
    ads : list of str
    cache : Path
        The folder ``cache``.
    n_jobs : int
        Processes.
    progress : Progress
    """
    why = lacking(["PIL", "av"])
    files = {ad: files_of_ad(dataset, ad) for ad in ads}
    wanted = {ad: found for ad, found in files.items() if found}
    if why:
        return {ad: Preview(unread=why if ad in wanted else "") for ad in ads}
    digests, folder = Digests(cache / "digests.parquet"), cache / "previews"
    found, missing = {ad: Preview() for ad in ads}, []
    for ad, its in wanted.items():
        kept = [folder / f"{key}.preview" for key in _keys(its, digests)]
        known = _read(kept[0]) if kept else None
        if known is not None:
            found[ad] = known
        else:
            missing.append((ad, its, kept[0] if kept else None))
    digests.save()
    tasks = [(missing[start : start + AT_ONCE],) for start in range(0, len(missing), AT_ONCE)]
    done, n_jobs = 0, 1 if len(missing) < AT_ONCE else n_jobs
    for made in run_tasks(_made, tasks, n_jobs=n_jobs):
        found.update(made)
        done += len(made)
        progress.update("pictures of the page", done, len(missing))
    return found


def _keys(files: tuple[FileOfAd, ...], digests: Digests) -> list[str]:
    try:
        return [digest(VERSION, [[one.kind, digests.of(one.path)] for one in files])]
    except OSError:  # a file that is gone
        return []


def _made(ads: Sequence[tuple[str, tuple[FileOfAd, ...], Path | None]]) -> dict[str, Preview]:
    """Draw the previews of some ads, given by their files, and keep each under its path."""
    found = {}
    for ad, files, path in ads:
        found[ad] = preview = _preview(files)
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


def _read(path: Path) -> Preview | None:
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


def _preview(files: tuple[FileOfAd, ...]) -> Preview:
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
