"""Sound as vectors of a pre-trained encoder, window by window."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from competition.datasets.base import InputKind
from competition.features.base import Item
from competition.features.chunked import ChunkedExtractor, Network
from competition.features.encoders import checkpoint_files, unnamed
from competition.features.registry import extractor
from competition.features.sound_encoders import SECONDS, load_preparation, load_sound_encoder
from competition.media.sound import read_sound
from competition.utils.errors import FeatureError
from competition.utils.parameters import Count
from competition.utils.versions import installed

Milliseconds = Annotated[int, Field(ge=100)]
SHORTEST = 1  # seconds of sound at the end that are worth a window


@extractor("audio", kinds=("video", "audio"), gives="array", version=1)
class Audio(ChunkedExtractor):
    """One vector per window of sound, by an encoder of Hugging Face's.

    - AST: the mean of its two tokens of the whole; windows of 10.26 s.
    - CLAP: the tower of sound alone, projected, of length 1; windows of 10 s.
    - Wav2Vec2, HuBERT and WavLM: the mean of the frames; windows of 10 s.
    - Whisper: the encoder alone, the mean of those frames that hold sound; windows of 30 s.

    Less than a second at the end is left out; a sound shorter than that is filled up with silence.
    The network computes in float32.

    Parameters
    ----------
    checkpoint : str
        A hub name or a local folder; "" leaves the feature out.
    window_ms : int or None
        Milliseconds of a window; None is the family's own. AST, CLAP and Whisper hear no longer
        one.
    step_ms : int or None
        Milliseconds from the start of a window to that of the next; None lets them meet.
    device : str
    batch_size : int
        Windows per pass of the network; only on a GPU are they of several ads.
    """

    libraries = ("av", "torch", "transformers")
    hears = True

    def __init__(
        self,
        checkpoint: str = "",
        window_ms: Milliseconds | None = None,
        step_ms: Milliseconds | None = None,
        device: str = "auto",
        batch_size: Count = 8,
    ) -> None:
        self.checkpoint = checkpoint
        self.window_ms = window_ms
        self.step_ms = step_ms
        self.device = device
        self.batch_size = batch_size

    def lacks(self) -> str:
        """Say that no checkpoint is named, if so."""
        return unnamed(self.checkpoint, "encoder of sound")

    def files(self) -> Sequence[Path]:
        """Files of a checkpoint in a local folder."""
        return checkpoint_files(self.checkpoint)

    def prepared_by(self, kind: InputKind) -> dict[str, str]:
        """Versions of what decodes sound, and of what may make its spectrogram."""
        return {**super().prepared_by(kind), **installed("torchaudio")}

    def read(self, item: Item) -> Iterator[np.ndarray]:
        """Yield windows of sound, shape (1, window), dtype float32; NaN stands after the sound."""
        rate, size, step = self._lengths()
        sound = read_sound(item.path, rate)
        for window in windows(sound, size, step, min(SHORTEST * rate, size)):
            yield np.pad(window, (0, size - len(window)), constant_values=np.nan)[None]

    def load(self) -> Network:
        """Return the network.

        Raises
        ------
        FeatureError
            If the checkpoint cannot be loaded or is no encoder of sound, or hears no such window.
        """
        self._lengths()
        encoder = load_sound_encoder(self.checkpoint, self.device)

        def run(chunks: np.ndarray) -> np.ndarray:
            return encoder.vectors([chunk[~np.isnan(chunk)] for chunk in chunks])

        return run

    def join(self, results: list[Any]) -> np.ndarray:
        """Return an array of shape (n_windows, dims), dtype float32."""
        return np.stack(results)

    def _lengths(self) -> tuple[int, int, int]:
        """Rate, and samples of a window and of a step."""
        prepared = load_preparation(self.checkpoint)
        rate, most = prepared.rate, prepared.at_once
        size = most or SECONDS * rate
        if self.window_ms is not None:
            size = self.window_ms * rate // 1000
            if most is not None and size > most:
                raise FeatureError(
                    f"audio: window_ms = {self.window_ms}, but {self.checkpoint!r} hears at most "
                    f"{most * 1000 // rate} milliseconds at once."
                )
        return rate, size, size if self.step_ms is None else self.step_ms * rate // 1000


def windows(
    sound: Iterable[np.ndarray], size: int, step: int, shortest: int
) -> Iterator[np.ndarray]:
    """Cut a sound that comes in chunks into windows.

    Parameters
    ----------
    sound : iterable of ndarray of shape (n_samples,), dtype float32
    size : int
        Samples of a window. The last one may be shorter.
    step : int
        Samples from the start of a window to that of the next.
    shortest : int
        Samples that a last window must have that none before it has; at most `size`. A sound that
        has fewer in all is filled up with zeros.

    Yields
    ------
    ndarray of shape (n_samples,), dtype float32
    """
    waiting = np.empty(0, dtype=np.float32)
    n_known = 0  # samples waiting that an earlier window had
    is_first = True
    for chunk in sound:
        waiting = np.concatenate([waiting, chunk])
        while len(waiting) >= max(size, step):
            yield waiting[:size]
            waiting, n_known, is_first = waiting[step:], max(size - step, 0), False
    if is_first and len(waiting) < shortest:
        waiting = np.pad(waiting, (0, shortest - len(waiting)))
    if len(waiting) - n_known >= shortest:
        yield waiting[:size]
