import resource
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from competition.media.faults import find_faults
from competition.utils.errors import FeatureError
from tests.media.made_films import cut_to, greys, write_film
from tests.media.made_sound import tone, write_silent_film, write_sound


def found(path: Path, kind: str) -> list[tuple[str, str]]:
    return [(fault.extent, fault.text) for fault in find_faults(path, kind)]


@pytest.fixture
def noisy() -> np.ndarray:
    """Four seconds of pictures that do not compress, at 10 a second."""
    return np.random.default_rng(0).integers(0, 256, (40, 32, 48, 3), dtype=np.uint8)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov", "ts", "avi"])
def test_sound_film_has_no_fault(tmp_path: Path, noisy: np.ndarray, ending: str):
    path = tmp_path / f"film.{ending}"
    codec = "mpeg4" if ending == "avi" else "libx264"
    write_film(path, noisy, rate=10, codec=codec, sound=tone(440, 4.0))

    assert found(path, "video") == []


@pytest.mark.parametrize(("ending", "options"), [("mp4", {"movflags": "faststart"}), ("mkv", {})])
@pytest.mark.parametrize("share", [0.4, 0.6, 0.8])
def test_film_cut_short_says_how_much_is_there(
    tmp_path: Path, noisy: np.ndarray, ending: str, options: dict[str, str], share: float
):
    path = write_film(tmp_path / f"film.{ending}", noisy, rate=10, **options)

    ((extent, text),) = found(cut_to(path, share), "video")[:1]

    assert extent == "part"
    had = float(text.split(": ")[1].split()[0])
    assert had == pytest.approx(4 * share, abs=0.3)
    assert text.endswith("of 4.0 seconds are there")


def test_sound_cut_short_says_how_much_is_there(tmp_path: Path):
    path = write_sound(tmp_path / "sound.wav", tone(440, 4.0, rate=8_000)[None], rate=8_000)

    assert found(cut_to(path, 0.5), "audio") == [
        ("part", "it is cut short: 2.0 of 4.0 seconds are there")
    ]


def test_film_that_starts_late_is_not_cut_short(tmp_path: Path):
    times = list(range(30_000, 34_000, 100))
    path = write_film(tmp_path / "film.mkv", greys([100] * 40), times, sound=None)

    assert [extent for extent, _ in found(path, "video")] == ["sound"]


def test_film_without_sound_lacks_that_alone(tmp_path: Path):
    path = write_silent_film(tmp_path / "film.mp4")

    assert found(path, "video") == [("sound", "it has no sound stream")]


def test_film_without_pictures_is_missing_as_a_film_but_not_as_a_sound(tmp_path: Path):
    path = write_sound(tmp_path / "film.mp4", tone(440, 1.0)[None], codec="aac")

    assert found(path, "video") == [("whole", "it has no video stream")]
    assert found(path, "audio") == []


@pytest.mark.parametrize("kind", ["image", "video", "audio", "array"])
def test_text_is_missing_as_whatever_it_is_named(tmp_path: Path, kind: str):
    path = tmp_path / "file"
    path.write_text("words " * 100, encoding="utf-8")

    assert [extent for extent, _ in found(path, kind)] == ["whole"]


@pytest.mark.parametrize("kind", ["image", "video", "audio", "array"])
def test_empty_file_is_missing(tmp_path: Path, kind: str):
    path = tmp_path / "file"
    path.touch()

    assert found(path, kind) == [("whole", "it is empty (0 bytes)")]


@pytest.mark.parametrize("kind", ["image", "video", "audio", "array"])
def test_no_more_open_files_is_not_called_a_broken_file(tmp_path: Path, kind: str):
    path = tmp_path / "file"
    if kind == "image":
        Image.new("RGB", (8, 8)).save(path, "PNG")
    elif kind == "array":
        np.save(path.open("wb"), np.ones((2, 2)))
    else:
        write_sound(path.with_suffix(".wav"), tone(440, 1.0)[None]).rename(path)
        if kind == "video":
            write_film(path.with_suffix(".mp4"), greys([100] * 20), sound=None).rename(path)
    found(path, kind)  # what is imported is there
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(FeatureError, match=r"check \S+file: Too many open files.*ulimit"):
            found(path, kind)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
