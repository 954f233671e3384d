"""Sound files that tests write and read."""

from pathlib import Path

import av
import numpy as np

from competition.media.sound import read_sound


def write_sound(
    path: Path, channels: np.ndarray, rate: int = 44_100, codec: str = "pcm_f32le"
) -> Path:
    """Write samples of shape (n_channels, n_samples); the ending of the path is the format."""
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(channels)]
    planar = np.ascontiguousarray(channels, dtype=np.float32)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.layout = layout
        frame = av.AudioFrame.from_ndarray(planar, format="fltp", layout=layout)
        frame.sample_rate = rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return path


def write_silent_film(path: Path) -> Path:
    """Write four grey frames without a sound stream."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=4)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        picture = np.full((32, 32, 3), 128, dtype=np.uint8)
        for _ in range(4):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path


def load_sound(path: Path, rate: int = 16_000) -> np.ndarray:
    """Read the whole sound of a file, shape (n_samples,)."""
    return np.concatenate(list(read_sound(path, rate)))


def tone(hertz: float, seconds: float, rate: int = 44_100, loudness: float = 0.5) -> np.ndarray:
    """A sine wave, shape (n_samples,)."""
    return loudness * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
