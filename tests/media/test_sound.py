from pathlib import Path

import numpy as np
import pytest

from competition.media.sound import read_sound
from competition.utils.errors import MediaError
from tests.media.made_sound import load_sound, tone, write_silent_film, write_sound


def loudest_hertz(sound: np.ndarray, rate: int) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(sound))) * rate / len(sound))


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_a_tone_keeps_its_pitch_loudness_and_length_at_every_rate(tmp_path: Path, rate: int):
    path = write_sound(tmp_path / "tone.wav", tone(1_000, 2.0)[None])

    sound = load_sound(path, rate)

    assert sound.dtype == np.float32
    assert len(sound) == 2 * rate
    assert loudest_hertz(sound, rate) == pytest.approx(1_000, abs=1)
    middle = sound[rate // 2 : -rate // 2]
    assert np.abs(middle).max() == pytest.approx(0.5, abs=0.01)


def test_sound_of_the_given_rate_comes_back_sample_for_sample(tmp_path: Path):
    samples = np.random.default_rng(0).uniform(-1, 1, 16_000).astype(np.float32)
    path = write_sound(tmp_path / "noise.wav", samples[None], rate=16_000)

    np.testing.assert_array_equal(load_sound(path), samples)


def test_the_two_channels_of_stereo_are_averaged(tmp_path: Path):
    left, right = tone(440, 1.0, rate=16_000), tone(880, 1.0, rate=16_000)
    path = write_sound(tmp_path / "stereo.wav", np.stack([left, right]), rate=16_000)

    np.testing.assert_allclose(load_sound(path), (left + right) / 2, atol=1e-6)


def test_loud_surround_sound_stays_within_one(tmp_path: Path):
    path = write_sound(tmp_path / "loud.wav", np.full((6, 44_100), 0.99))

    sound = load_sound(path)

    assert 0.9 < sound.max() <= 1


def test_frequencies_that_the_rate_cannot_hold_are_filtered_out(tmp_path: Path):
    path = write_sound(tmp_path / "high.wav", tone(12_000, 1.0)[None])

    assert np.abs(load_sound(path, 16_000)[1_000:-1_000]).max() < 0.01


def test_long_sound_comes_in_chunks_that_join_to_the_whole(tmp_path: Path):
    path = write_sound(tmp_path / "long.wav", tone(440, 35.0, rate=8_000)[None], rate=8_000)

    chunks = list(read_sound(path, 16_000))

    assert len(chunks) == 4
    assert max(map(len, chunks)) < 11 * 16_000
    np.testing.assert_array_equal(np.concatenate(chunks), load_sound(path, 16_000))


def test_a_cut_off_file_gives_the_sound_up_to_the_cut(tmp_path: Path):
    whole = write_sound(tmp_path / "whole.ts", tone(440, 4.0)[None], codec="aac")
    data = whole.read_bytes()
    cut = tmp_path / "cut.ts"
    cut.write_bytes(data[: len(data) // 2])

    sound = load_sound(cut)

    assert 1.5 * 16_000 < len(sound) < 2.5 * 16_000
    np.testing.assert_allclose(sound[:16_000], load_sound(whole)[:16_000], atol=1e-4)


def test_damage_in_the_middle_costs_only_the_damaged_part(tmp_path: Path):
    whole = write_sound(tmp_path / "whole.ts", tone(440, 4.0)[None], codec="aac")
    data = bytearray(whole.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2_000] = bytes(range(250)) * 8
    damaged = tmp_path / "damaged.ts"
    damaged.write_bytes(data)

    sound = load_sound(damaged)

    assert len(sound) > 3.4 * 16_000
    end = sound[-12_000:-4_000]
    assert loudest_hertz(end, 16_000) == pytest.approx(440, abs=2)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"no film at all, only words\n" * 50, "cannot be opened"),
        (b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom", "cannot be opened|no sound stream"),
        (
            b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1/a.ts\n",
            "cannot|no sound",
        ),
    ],
)
def test_files_that_hold_no_sound_are_refused_with_a_reason(
    tmp_path: Path, content: bytes, reason: str
):
    path = tmp_path / "ad.mp4"
    path.write_bytes(content)

    with pytest.raises(MediaError, match=reason):
        load_sound(path)


def test_a_playlist_opens_no_other_file(tmp_path: Path):
    write_sound(tmp_path / "other.ts", tone(440, 1.0)[None], codec="aac")
    playlist = tmp_path / "ad.mp4"
    playlist.write_text("ffconcat version 1.0\nfile other.ts\n")

    with pytest.raises(MediaError):
        load_sound(playlist)


def test_a_film_without_sound_is_refused_with_a_reason(tmp_path: Path):
    with pytest.raises(MediaError, match="no sound stream"):
        load_sound(write_silent_film(tmp_path / "silent.mp4"))


def test_a_file_that_is_not_there_is_refused_with_a_reason(tmp_path: Path):
    with pytest.raises(MediaError, match="no such file"):
        load_sound(tmp_path / "nowhere.mp4")


def test_samples_that_are_no_numbers_are_refused(tmp_path: Path):
    samples = np.zeros(16_000)
    samples[5_000] = np.nan
    path = write_sound(tmp_path / "nan.wav", samples[None], rate=16_000)

    with pytest.raises(MediaError, match="NaN"):
        load_sound(path)


def test_the_sound_of_a_real_film(real_data: Path):
    sound = load_sound(real_data / "street_clips" / "clips" / "clip001.mp4")

    assert len(sound) == pytest.approx(1.997 * 16_000, rel=0.05)
    assert 0.001 < np.abs(sound).mean() < 1
