"""Log-mel spectrograms: what VGGish sees of a sound, and a feature of their own.

The front end is that of S. Hershey et al., "CNN Architectures for Large-Scale Audio
Classification", ICASSP 2017, with the settings published beside the VGGish network.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Annotated

import numpy as np
from pydantic import Field

from competition.features.base import Extractor, Item
from competition.features.registry import extractor
from competition.media.sound import read_sound
from competition.utils.errors import FeatureError

RATE = 16_000  # samples a second
WINDOW = 400  # samples: 25 ms
HOP = 160  # samples: 10 ms
N_FFT = 512
N_BANDS = 64
LOWEST, HIGHEST = 125.0, 7_500.0  # hertz
LOG_OFFSET = 0.01
PATCH = 96  # frames: 0.96 s


@cache
def mel_weights() -> np.ndarray:
    """Weight of each frequency bin in each band, shape (N_FFT // 2 + 1, N_BANDS), float32.

    Triangles that are evenly spaced and straight-sided on the mel scale of HTK,
    1127 ln(1 + hertz / 700). The bin at 0 hertz counts in none.
    """
    bins = _mel(np.linspace(0, RATE / 2, N_FFT // 2 + 1))[:, None]
    edges = np.linspace(_mel(LOWEST), _mel(HIGHEST), N_BANDS + 2)
    start, peak, end = edges[:-2], edges[1:-1], edges[2:]
    weights = np.minimum((bins - start) / (peak - start), (end - bins) / (end - peak))
    weights[0] = 0
    return np.maximum(weights, 0).astype(np.float32)


def log_mel(sound: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the log-mel spectrogram of a sound that comes in chunks.

    Each frame is 25 ms under a periodic Hann window; frames start every 10 ms. Samples at the end
    that fill no frame are left out; a sound shorter than one frame is filled up with silence.

    Parameters
    ----------
    sound : iterable of ndarray of shape (n_samples,), dtype float32
        One channel, `RATE` samples a second, values in [-1, 1].

    Yields
    ------
    ndarray of shape (n_frames, N_BANDS), dtype float32
        log(mel + 0.01), where mel is the weighted sum of the magnitudes of the spectrum.
    """
    samples = np.empty(0, dtype=np.float32)
    is_first = True
    for chunk in sound:
        samples = np.concatenate([samples, chunk])
        if len(samples) >= WINDOW:
            n_frames = 1 + (len(samples) - WINDOW) // HOP
            yield _frames_log_mel(samples)
            samples = samples[n_frames * HOP :]
            is_first = False
    if is_first:
        yield _frames_log_mel(np.pad(samples, (0, WINDOW - len(samples))))


def log_mel_patches(sound: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the patches that VGGish takes, each 0.96 s of the log-mel spectrogram.

    What fills no patch at the end is left out; a sound shorter than one patch is filled up with
    silence.

    Yields
    ------
    ndarray of shape (n_patches, PATCH, N_BANDS), dtype float32
    """
    is_first = True
    for frames in _grouped(log_mel(sound), PATCH):
        n_patches = len(frames) // PATCH
        if not n_patches:  # the end
            if not is_first:
                return
            silence = np.full((PATCH - len(frames), N_BANDS), np.log(LOG_OFFSET), np.float32)
            frames, n_patches = np.concatenate([frames, silence]), 1
        yield frames.reshape(n_patches, PATCH, N_BANDS)
        is_first = False


@extractor("logmel", kinds=("video", "audio"), gives="array", version=1)
class LogMel(Extractor):
    """The log-mel spectrogram of the sound, one row per stretch of time; needs no weights.

    Parameters
    ----------
    step_ms : int
        Milliseconds that a row stands for, a multiple of 10: the mean of its frames.
    """

    libraries = ("av",)
    hears = True

    def __init__(self, step_ms: Annotated[int, Field(ge=10, multiple_of=10)] = 100) -> None:
        self.step_ms = step_ms

    def extract_one(self, item: Item) -> np.ndarray:
        """Return an array of shape (time, N_BANDS), dtype float16."""
        if self.step_ms < 10 or self.step_ms % 10:
            raise FeatureError(
                f"logmel: step_ms is {self.step_ms}; it must be a multiple of 10, the distance of "
                "two frames in milliseconds."
            )
        step = self.step_ms // 10
        groups = _grouped(log_mel(read_sound(item.path, RATE)), step)
        return np.concatenate([_means(frames, step) for frames in groups])


def _mel(hertz: np.ndarray | float) -> np.ndarray:
    return 1127.0 * np.log(1.0 + np.asarray(hertz) / 700.0)


@cache
def _hann() -> np.ndarray:
    """The periodic window: its period is WINDOW samples, not WINDOW - 1."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)


def _frames_log_mel(samples: np.ndarray) -> np.ndarray:
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    magnitudes = np.abs(np.fft.rfft(frames * _hann(), N_FFT))
    return np.log(magnitudes @ mel_weights() + np.float32(LOG_OFFSET))


def _means(frames: np.ndarray, step: int) -> np.ndarray:
    """Mean of each `step` rows, float16; the last stretch may be shorter."""
    starts = np.arange(0, len(frames), step)
    n_rows = np.diff(starts, append=len(frames))[:, None]
    return (np.add.reduceat(frames, starts) / n_rows).astype(np.float16)


def _grouped(chunks: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Yield all rows in arrays whose length is a multiple of `size`, then the rest."""
    waiting: list[np.ndarray] = []
    n_waiting = 0
    for chunk in chunks:
        waiting.append(chunk)
        n_waiting += len(chunk)
        if n_waiting >= size:
            rows = np.concatenate(waiting)
            n_whole = n_waiting - n_waiting % size
            yield rows[:n_whole]
            waiting, n_waiting = [rows[n_whole:]], n_waiting - n_whole
    if n_waiting:
        yield np.concatenate(waiting)
