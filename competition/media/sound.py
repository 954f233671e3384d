"""The sound of a film or a sound file as one channel of a fixed rate, read chunk by chunk."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from competition.media.opening import check_decoder, decoded, opened
from competition.utils.errors import MediaError

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.resampler import AudioResampler
    from av.container import InputContainer

SECONDS = 10  # of sound in a chunk


def read_sound(path: Path, rate: int = 16_000) -> Iterator[np.ndarray]:
    """Yield the sound of a file, mixed to one channel and resampled.

    The channels of stereo sound are averaged. Packets that cannot be decoded are skipped, as a
    player does; a broken end ends the sound.

    Parameters
    ----------
    path : Path
        A film or a sound file.
    rate : int
        Samples per second.

    Yields
    ------
    ndarray of shape (n_samples,), dtype float32
        At most ten seconds each, values in [-1, 1].

    Raises
    ------
    MediaError
        If the file cannot be opened, has no sound stream or no sample that can be decoded, or if
        samples are not finite.
    """
    with opened(path) as container:
        yield from sound_of(container, rate)


def sound_of(container: "InputContainer", rate: int = 16_000) -> Iterator[np.ndarray]:
    """Yield the sound of a film or a sound file that is open; see `read_sound`."""
    from av.audio.stream import AudioStream

    stream = container.streams.best("audio")
    if not isinstance(stream, AudioStream):
        raise MediaError("it has no sound stream")
    check_decoder(stream)
    n_chunks = 0
    for chunk in _resampled(decoded(container, stream), rate):
        if not np.isfinite(chunk).all():
            raise MediaError("its sound holds samples that are NaN or infinite")
        yield np.clip(chunk, -1, 1)
        n_chunks += 1
    if not n_chunks:
        raise MediaError("its sound stream is empty or cannot be decoded")


def _resampled(frames: Iterator["AudioFrame"], rate: int) -> Iterator[np.ndarray]:
    """Mix and resample some seconds at a time; a new format gets a new resampler."""
    resampler: AudioResampler | None = None
    format_now = None
    for frame in frames:
        format_of_frame = (frame.format.name, frame.layout.name, frame.sample_rate)
        if resampler is None or format_of_frame != format_now:
            if resampler is not None:
                yield from _samples(resampler, None)
            resampler, format_now = _make_resampler(rate), format_of_frame
        yield from _samples(resampler, frame)
    if resampler is not None:
        yield from _samples(resampler, None)


def _make_resampler(rate: int) -> "AudioResampler":
    import av

    # Without this limit FFmpeg adds 0.71 of each floating-point channel, which may exceed 1.
    limit = {"rematrix_maxval": "1.0"}
    return av.AudioResampler("flt", "mono", rate, frame_size=SECONDS * rate, options=limit)


def _samples(resampler: "AudioResampler", frame: "AudioFrame | None") -> Iterator[np.ndarray]:
    for out in resampler.resample(frame):
        yield out.to_ndarray()[0]
