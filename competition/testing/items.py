"""Small made files of every kind, and files that cannot be read, for the contract of extractors."""

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np

from competition.datasets.base import InputKind
from competition.features.base import Item
from competition.utils.errors import FeatureError

RATE = 16_000  # samples a second
FPS = 8
TEXTS = ("free coins for everybody", "下载游戏 today, and win a horse", "one")
ENDINGS = {"image": "png", "audio": "wav", "video": "mp4", "array": "npy"}


def made_items(kind: InputKind, folder: Path) -> list[Item]:
    """Make three items of a kind, of unlike lengths or sizes.

    Parameters
    ----------
    kind : str
    folder : Path
        Where files are written.

    Raises
    ------
    FeatureError
        If no extractor reads the kind.
    """
    if kind == "text":
        return [Item(kind, text) for text in TEXTS]
    if kind not in WRITERS:
        raise FeatureError(f"No extractor reads the kind {kind}: there are no made items of it.")
    rng = np.random.default_rng(0)
    paths = [folder / f"{kind}{i}.{ENDINGS[kind]}" for i in range(3)]
    for path, size in zip(paths, (5, 12, 8), strict=True):
        WRITERS[kind](path, size, rng)
    return [Item(kind, path) for path in paths]


def bad_items(kind: InputKind, folder: Path) -> list[Item]:
    """Return items that cannot be read: an empty text, or a broken file and an absent one."""
    if kind == "text":
        return [Item(kind, " ")]
    path = folder / f"broken.{ENDINGS[kind]}"
    path.write_bytes(b"no file of this kind begins like this")
    return [Item(kind, path), Item(kind, folder / f"absent.{ENDINGS[kind]}")]


def _write_image(path: Path, size: int, rng: np.random.Generator) -> None:
    from PIL import Image

    Image.fromarray(_pictures(1, 2 * size, 3 * size, rng)[0]).save(path)


def _write_array(path: Path, size: int, rng: np.random.Generator) -> None:
    np.save(path, rng.normal(size=(size, 4)).astype(np.float32))


def _write_audio(path: Path, size: int, rng: np.random.Generator) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((_sound(size, rng) * 32_767).astype("<i2").tobytes())


def _write_video(path: Path, size: int, rng: np.random.Generator) -> None:
    import av

    with av.open(str(path), "w") as file:
        video = file.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 48, 32, "yuv420p"
        audio = file.add_stream("aac", rate=RATE, layout="mono")
        for picture in _pictures(size, 32, 48, rng):
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(video.encode(None))
        heard = av.AudioFrame.from_ndarray(_sound(size, rng)[None], format="fltp", layout="mono")
        heard.sample_rate = RATE
        file.mux(audio.encode(heard))
        file.mux(audio.encode(None))


def _pictures(n: int, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of one colour each: (n, height, width, 3), uint8."""
    colours = rng.integers(20, 236, (n, 1, 1, 3))
    return (colours + rng.integers(-20, 20, (n, height, width, 3))).astype(np.uint8)


def _sound(size: int, rng: np.random.Generator) -> np.ndarray:
    """Return a tone of `size` eighths of a second: (n_samples,), float32."""
    at = np.arange(size * RATE // FPS) / RATE
    return (0.3 * np.sin(2 * np.pi * rng.uniform(200, 2000) * at)).astype(np.float32)


WRITERS: dict[InputKind, Callable[[Path, int, np.random.Generator], None]] = {
    "image": _write_image,
    "array": _write_array,
    "audio": _write_audio,
    "video": _write_video,
}
