"""Films that tests write: small, each frame with a grey of its own."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition
from PIL import Image

MS = Fraction(1, 1000)


def greys(levels: Iterable[int], height: int = 32, width: int = 48) -> list[np.ndarray]:
    """Pictures of one grey each."""
    return [np.full((height, width, 3), level, dtype=np.uint8) for level in levels]


def write_film(
    path: Path,
    pictures: Iterable[np.ndarray],
    times_ms: Sequence[int] | None = None,
    *,
    rate: int = 25,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    sound: np.ndarray | None = None,
    turned: tuple[int, bool] | None = None,
    **container_options: str,
) -> Path:
    """Write pictures, at `times_ms` or one after the other; the ending of the path is the format.

    Parameters
    ----------
    sound : ndarray of shape (n_samples,), optional
        Samples at 44,100 Hz.
    turned : (int, bool), optional
        Degrees counterclockwise that a player shall turn the film, and whether to mirror it then.
    **container_options : str
        Such as ``movflags``.
    """
    pictures = iter(pictures)
    first = next(pictures)
    quality = {"qp": "0", "preset": "ultrafast"} if codec == "libx264" else {}
    with av.open(str(path), "w", options=container_options) as container:
        stream = container.add_stream(codec, rate=rate, options=quality)
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = pix_fmt
        if times_ms is not None:
            stream.codec_context.time_base = MS
        if turned is not None:
            stream.set_display_rotation(turned[0], hflip=turned[1])
        voice = None if sound is None else container.add_stream("aac", rate=44_100, layout="mono")
        n_taken = 0
        for picture in _chain(first, pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if times_ms is not None:
                frame.pts, frame.time_base = times_ms[n_taken], MS
                n_taken += 1
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if voice is not None and sound is not None:
            planar = np.ascontiguousarray(sound[None], dtype=np.float32)
            heard = av.AudioFrame.from_ndarray(planar, format="fltp", layout="mono")
            heard.sample_rate = 44_100
            container.mux(voice.encode(heard))
            container.mux(voice.encode(None))
    return path


def _chain(first: np.ndarray, rest: Iterable[np.ndarray]) -> Iterable[np.ndarray]:
    yield first
    yield from rest


def cut_to(path: Path, share: float) -> Path:
    """Keep only the first part of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def write_streams(path: Path, streams: Sequence[Sequence[np.ndarray]], default: int) -> Path:
    """Write a file of several video streams, of which one is marked as the default."""
    with av.open(str(path), "w") as container:
        written = []
        for n, pictures in enumerate(streams):
            stream = container.add_stream("mjpeg" if len(pictures) == 1 else "mpeg4", rate=25)
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt = "yuvj420p" if len(pictures) == 1 else "yuv420p"
            stream.disposition = Disposition.default if n == default else Disposition.dub
            written.append(stream)
        for stream, pictures in zip(written, streams, strict=True):
            for picture in pictures:
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


def write_animation(path: Path, pictures: Iterable[np.ndarray], times_ms: Sequence[int]) -> Path:
    """Write pictures, each for its time; the ending of the path is the format."""
    first, *others = map(Image.fromarray, pictures)
    lossless = {"lossless": True} if path.suffix == ".webp" else {}
    first.save(path, save_all=True, append_images=others, duration=list(times_ms), **lossless)
    return path
