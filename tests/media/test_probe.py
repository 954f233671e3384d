import math
from pathlib import Path

import numpy as np
import pytest

from competition.media.probe import probe
from competition.utils.errors import MediaError
from tests.media.made_films import greys, write_animation, write_film, write_streams
from tests.media.made_sound import tone, write_silent_film, write_sound


def blocks(seed: int) -> np.ndarray:
    fields = np.random.default_rng(seed).integers(0, 256, (4, 6, 3)).astype(np.uint8)
    return fields.repeat(16, axis=0).repeat(16, axis=1)


def test_metadata_of_a_film(tmp_path: Path):
    scenes = [blocks(seed) for seed in range(3) for _ in range(25)]
    sound = tone(440, 3.0, loudness=0.5)
    path = write_film(tmp_path / "film.mp4", scenes, sound=sound, turned=(90, False))

    metadata = probe(path)

    assert metadata.duration == pytest.approx(3.0, abs=0.1)
    assert (metadata.width, metadata.height) == (64, 96)
    assert metadata.frame_rate == pytest.approx(25)
    assert metadata.has_sound == 1
    assert metadata.loudness == pytest.approx(20 * math.log10(0.5 / math.sqrt(2)), abs=0.3)
    assert metadata.file_size == path.stat().st_size
    assert metadata.cuts == 2


def test_film_without_sound_has_no_loudness(tmp_path: Path):
    metadata = probe(write_silent_film(tmp_path / "film.mp4"))

    assert metadata.has_sound == 0
    assert math.isnan(metadata.loudness)
    assert metadata.cuts == 0
    assert metadata.duration == pytest.approx(1.0)


def test_sound_file_has_no_picture_and_square_wave_is_full_scale(tmp_path: Path):
    square = np.sign(tone(10, 2.0, rate=16_000) + 1e-9)
    metadata = probe(write_sound(tmp_path / "sound.wav", square[None], rate=16_000))

    assert metadata.loudness == pytest.approx(0, abs=1e-6)
    assert metadata.duration == pytest.approx(2.0)
    assert all(
        math.isnan(x) for x in (metadata.width, metadata.height, metadata.frame_rate, metadata.cuts)
    )


def test_digital_silence_has_the_least_loudness(tmp_path: Path):
    metadata = probe(write_sound(tmp_path / "sound.wav", np.zeros((1, 16_000)), rate=16_000))

    assert (metadata.has_sound, metadata.loudness) == (1, -100)


def test_duration_that_the_file_does_not_say_is_that_of_its_sound(tmp_path: Path):
    path = write_sound(tmp_path / "sound.mkv", tone(440, 1.5)[None])
    content = path.read_bytes()
    place = content.index(b"\x44\x89\x88")  # Matroska's duration, a number of 8 bytes
    path.write_bytes(content[:place] + b"\xec\x89" + content[place + 2 :])  # now a filler

    assert probe(path).duration == pytest.approx(1.5, abs=0.1)


def test_duration_that_the_file_does_not_say_is_that_of_its_frames(tmp_path: Path):
    metadata = probe(write_film(tmp_path / "film.h264", greys([50, 200] * 25)))

    assert metadata.duration == 2.0
    assert metadata.frame_rate == 25


def test_metadata_of_a_film_behind_a_thumbnail(tmp_path: Path):
    scenes = [blocks(seed) for seed in range(3) for _ in range(25)]
    path = write_streams(tmp_path / "film.mkv", [greys([10], 16, 16), scenes], default=0)

    metadata = probe(path)

    assert (metadata.width, metadata.height, metadata.cuts) == (96, 64, 2)
    assert metadata.frame_rate == pytest.approx(25)


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_metadata_of_an_animation(tmp_path: Path, ending: str):
    scenes = [blocks(seed) for seed in range(6)]
    metadata = probe(write_animation(tmp_path / f"animation.{ending}", scenes, [500] * 6))

    assert metadata.duration == pytest.approx(3.0)
    assert metadata.frame_rate == pytest.approx(2, rel=0.01)
    assert (metadata.width, metadata.height, metadata.has_sound) == (96, 64, 0)
    assert metadata.cuts == 5


def test_file_of_neither_film_nor_sound_is_a_media_error(tmp_path: Path):
    path = write_film(tmp_path / "pixel.mp4", greys([100], 1, 1), codec="png", pix_fmt="rgb24")

    with pytest.raises(MediaError, match="1 x 1 pixels and it has no sound stream"):
        probe(path)
