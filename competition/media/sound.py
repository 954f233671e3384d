"""The sound of a film or a sound file, as one channel of a fixed rate, read piece by piece."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from competition.errors import MediaError
from competition.media.opening import check_decoder, decoded, opened

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.resampler import AudioResampler

SECONDS = 10  # of sound in a chunk


def read_sound(path: Path, rate: int = 16_000) -> Iterator[np.ndarray]:
    """Yield the sound of a file, mixed to one channel and resampled.

    The channels of stereo sound are averaged. What cannot be decoded is passed over, as a player
    would; a broken end ends the sound.

    Parameters
    ----------
    path : Path
        A film or a sound file.
    rate : int
        Samples a second.

    Yields
    ------
    ndarray of shape (n_samples,), dtype float32
        About ten seconds each, values in [-1, 1].

    Raises
    ------
    MediaError
        If the file cannot be opened, has no sound stream, not one sample can be decoded, or
        samples are no numbers.
    """
    from av.audio.stream import AudioStream

    with opened(path) as container:
        stream = container.streams.best("audio")
        if not isinstance(stream, AudioStream):
            raise MediaError("it has no sound stream")
        check_decoder(stream)
        pieces: list[np.ndarray] = []
        n_pieces, n_waiting = 0, 0
        for piece in _resampled(decoded(container, stream), rate):
            if not np.isfinite(piece).all():
                raise MediaError("its sound holds samples that are NaN or infinite")
            pieces.append(np.clip(piece, -1, 1))
            n_pieces += 1
            n_waiting += len(piece)
            if n_waiting >= SECONDS * rate:
                yield np.concatenate(pieces)
                pieces, n_waiting = [], 0
        if not n_pieces:
            raise MediaError("its sound stream is empty or cannot be decoded")
        if pieces:
            yield np.concatenate(pieces)


def load_sound(path: Path, rate: int = 16_000) -> np.ndarray:
    """Return the whole sound of a file, shape (n_samples,), dtype float32; see `read_sound`."""
    return np.concatenate(list(read_sound(path, rate)))


def _resampled(frames: Iterator["AudioFrame"], rate: int) -> Iterator[np.ndarray]:
    """Mix and resample; where the format changes on the way, start afresh."""
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

    # Without a limit, floating-point stereo would be mixed by 0.71 of each channel and exceed 1.
    return av.AudioResampler("flt", "mono", rate, options={"rematrix_maxval": "1.0"})


def _samples(resampler: "AudioResampler", frame: "AudioFrame | None") -> Iterator[np.ndarray]:
    for out in resampler.resample(frame):
        yield out.to_ndarray()[0]
