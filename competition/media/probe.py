"""Metadata of a film or a sound file: duration, size, loudness, cuts."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from competition.media.animations import animation, is_webp
from competition.media.cuts import EVERY_MS, SIDE, count_cuts
from competition.media.frames import first_frame, read_frames, video_stream
from competition.media.opening import opened
from competition.media.sound import read_sound
from competition.utils.errors import MediaError

RATE = 16_000  # samples per second of the measured sound
SILENCE = -100.0  # decibels, quieter than any recording: in place of the logarithm of 0


@dataclass(frozen=True)
class MediaMetadata:
    """Metadata of a film or a sound file; NaN where unknown.

    Attributes
    ----------
    duration : float
        Seconds by the file's header; where it gives none, until the last frame, to the next eighth
        of a second, or the last sample.
    width, height : float
        Pixels of the first frame, the right way up.
    frame_rate : float
        Average number of frames per second.
    has_sound : float
        1 if a sound stream can be decoded, else 0.
    loudness : float
        Root mean square of the sound mixed to one channel, in decibels relative to full scale (a
        square wave at full scale has 0, a sine wave -3); at least -100.
    file_size : float
        Bytes.
    cuts : float
        Number of hard cuts; see `competition.media.cuts`.
    """

    duration: float
    width: float
    height: float
    frame_rate: float
    has_sound: float
    loudness: float
    file_size: float
    cuts: float


def probe(path: Path) -> MediaMetadata:
    """Read a whole film or sound file and return its metadata.

    Raises
    ------
    MediaError
        If the file cannot be opened, or neither a frame nor a sound can be decoded.
    """
    duration, rate = stated(path)
    height, width, cuts, level = math.nan, math.nan, math.nan, math.nan
    seen, heard = 0.0, 0.0  # seconds
    missing = []
    try:
        height, width = map(float, first_frame(path).shape[:2])
        cuts, seen = _cuts(read_frames(path, EVERY_MS, SIDE))
    except MediaError as bad:
        missing.append(str(bad))
    try:
        level, heard = _level(read_sound(path, RATE))
    except MediaError as bad:
        missing.append(str(bad))
    if len(missing) == 2:
        raise MediaError(" and ".join(missing))
    return MediaMetadata(
        duration=max(seen, heard) if math.isnan(duration) else duration,
        width=width,
        height=height,
        frame_rate=rate,
        has_sound=float(heard > 0),
        loudness=level,
        file_size=float(path.stat().st_size),
        cuts=cuts,
    )


def stated(path: Path) -> tuple[float, float]:
    """Return seconds and frames per second as a file states them, without decoding it.

    Returns
    -------
    (float, float)
        NaN where it does not. Of an animation, which states neither, they are counted.

    Raises
    ------
    MediaError
        If the file cannot be opened.
    """
    return _of_animation(path) if is_webp(path) else _of_header(path)


def _of_header(path: Path) -> tuple[float, float]:
    """Return the duration and the frame rate that a file states; NaN where it does not."""
    with opened(path) as container:
        film = video_stream(path, container)
        rate = float(film.average_rate) if film and film.average_rate else math.nan
        duration = container.duration or 0  # some formats give one below 0
        return duration / 1e6 if duration > 0 else math.nan, rate


def _of_animation(path: Path) -> tuple[float, float]:
    """Return the duration and the frame rate of an animation."""
    *_, (number, end) = enumerate((end for _, end in animation(path)), start=1)
    return float(end), float(number / end)


def _cuts(frames: Iterable[np.ndarray]) -> tuple[float, float]:
    """Return the number of hard cuts, and the seconds."""
    n_frames = 0

    def counted() -> Iterator[np.ndarray]:
        nonlocal n_frames
        for frame in frames:
            n_frames += 1
            yield frame

    cuts = count_cuts(counted())
    return float(cuts), n_frames * EVERY_MS / 1000


def _level(sound: Iterable[np.ndarray]) -> tuple[float, float]:
    """Return the root mean square in decibels relative to full scale, and the seconds."""
    total, n_samples = 0.0, 0
    for chunk in sound:
        total += float(np.square(chunk, dtype=np.float64).sum())
        n_samples += len(chunk)
    level = 10 * math.log10(total / n_samples) if total else SILENCE
    return max(level, SILENCE), n_samples / RATE
