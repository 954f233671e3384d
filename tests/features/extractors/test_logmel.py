from pathlib import Path

import numpy as np
import pytest
import scipy.signal

from competition.features.base import Item
from competition.features.extractors.logmel import LogMel, log_mel, log_mel_patches, mel_weights
from competition.features.registry import get_extractor
from competition.utils.errors import FeatureError, MediaError
from tests.media.made_sound import tone, write_silent_film, write_sound


def all_frames(sound: np.ndarray) -> np.ndarray:
    return np.concatenate(list(log_mel([sound.astype(np.float32)])))


def all_patches(sound: np.ndarray) -> np.ndarray:
    return np.concatenate(list(log_mel_patches([sound.astype(np.float32)])))


def mel(hertz: float) -> float:
    return 1127.0 * np.log(1.0 + hertz / 700.0)


def triangle(hertz: float, band: int) -> float:
    """The weight of a frequency in a band, written out for one pair."""
    width = (mel(7500) - mel(125)) / 65
    distance = abs(mel(hertz) - (mel(125) + width * (band + 1)))
    return max(0.0, 1 - distance / width)


def direct_log_mel(sound: np.ndarray) -> np.ndarray:
    """The published front end by a DFT matrix in float64, frame by frame."""
    n = np.arange(400)
    window = 0.5 * (1 - np.cos(2 * np.pi * n / 400))
    dft = np.exp(-2j * np.pi * np.outer(np.arange(257), n) / 512)
    weights = np.array([[triangle(k * 31.25, band) for band in range(64)] for k in range(257)])
    rows = []
    for start in range(0, len(sound) - 399, 160):
        magnitude = np.abs(dft @ (window * sound[start : start + 400]))
        rows.append(np.log(magnitude @ weights + 0.01))
    return np.array(rows)


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    """Two seconds of noise and a tone, one after the other loud, faint and silent."""
    rng = np.random.default_rng(0)
    loudness = np.repeat([0.5, 1e-3, 0.0, 0.2], 8_000)
    return loudness * rng.uniform(-1, 1, 32_000) + tone(700, 2.0, 16_000, 0.1)


def test_it_is_the_published_front_end_by_a_direct_dft(noise: np.ndarray):
    frames = all_frames(noise)

    assert frames.shape == (1 + (32_000 - 400) // 160, 64)
    assert frames.dtype == np.float32
    np.testing.assert_allclose(frames, direct_log_mel(noise), atol=2e-5)


def test_it_agrees_with_the_stft_of_scipy(noise: np.ndarray):
    window = scipy.signal.get_window("hann", 400, fftbins=True)
    _, _, scaled = scipy.signal.stft(
        noise, window=window, noverlap=240, nperseg=400, nfft=512, boundary=None, padded=False
    )
    magnitude = np.abs(scaled.T) * window.sum()
    expected = np.log(magnitude @ mel_weights().astype(float) + 0.01)

    np.testing.assert_allclose(all_frames(noise), expected, atol=2e-5)


def test_bands_are_triangles_that_sum_to_one_between_the_outer_peaks():
    weights = mel_weights()
    hertz = np.arange(257) * 31.25
    inside = (hertz > 160) & (hertz < 7_200)

    assert weights.shape == (257, 64)
    np.testing.assert_allclose(weights[inside].sum(axis=1), 1, atol=1e-5)
    assert not weights[(hertz <= 125) | (hertz >= 7_500)].any()


@pytest.mark.parametrize("hertz", [300.0, 1_000.0, 4_000.0, 7_000.0])
def test_a_tone_is_loudest_in_the_band_around_it(hertz: float):
    frames = all_frames(tone(hertz, 1.0, 16_000))

    width = (mel(7_500) - mel(125)) / 65
    nearest = round((mel(hertz) - mel(125)) / width) - 1
    assert abs(frames.mean(axis=0).argmax() - nearest) <= 1
    np.testing.assert_allclose(frames, frames[:1] + np.zeros_like(frames), atol=0.2)


def test_silence_is_the_log_of_the_offset():
    np.testing.assert_allclose(all_frames(np.zeros(16_000)), np.log(0.01), rtol=1e-6)


@pytest.mark.parametrize("chunk", [7, 160, 399, 401, 5_000])
def test_chunks_do_not_change_the_frames(noise: np.ndarray, chunk: int):
    sound = noise[:9_000].astype(np.float32)
    chunks = [sound[start : start + chunk] for start in range(0, len(sound), chunk)]

    np.testing.assert_allclose(
        np.concatenate(list(log_mel(chunks))), all_frames(sound), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(
    ("n_samples", "n_frames"), [(1, 1), (400, 1), (559, 1), (560, 2), (16_000, 98)]
)
def test_only_whole_frames_count_but_there_is_always_one(n_samples: int, n_frames: int):
    assert all_frames(np.ones(n_samples)).shape == (n_frames, 64)


@pytest.mark.parametrize(
    ("n_samples", "n_patches"),
    [(100, 1), (15_600, 1), (30_959, 1), (30_960, 2), (16_000 * 62, 64)],
)
def test_only_whole_patches_count_but_there_is_always_one(n_samples: int, n_patches: int):
    assert all_patches(np.ones(n_samples)).shape == (n_patches, 96, 64)


def test_patches_are_the_frames_in_order(noise: np.ndarray):
    frames, patches = all_frames(noise), all_patches(noise)

    np.testing.assert_array_equal(patches.reshape(-1, 64), frames[: 96 * 2])


def test_a_short_sound_is_filled_up_with_silence(noise: np.ndarray):
    patch = all_patches(noise[:4_000])[0]

    n_frames = 1 + (4_000 - 400) // 160
    np.testing.assert_array_equal(patch[:n_frames], all_frames(noise[:4_000]))
    np.testing.assert_allclose(patch[n_frames:], np.log(0.01), rtol=1e-6)


@pytest.mark.parametrize(("step_ms", "n_rows"), [(10, 198), (100, 20), (960, 3), (60_000, 1)])
def test_rows_of_the_extractor_are_means_over_stretches(
    tmp_path: Path, noise: np.ndarray, step_ms: int, n_rows: int
):
    path = write_sound(tmp_path / "noise.wav", noise[None], rate=16_000)

    rows = LogMel(step_ms=step_ms).extract_one(Item("audio", path))

    frames, step = all_frames(noise), step_ms // 10
    expected = [frames[start : start + step].mean(axis=0) for start in range(0, 198, step)]
    assert rows.shape == (n_rows, 64)
    assert rows.dtype == np.float16
    np.testing.assert_allclose(rows, expected, rtol=1e-3, atol=1e-3)


def test_stretches_do_not_stop_at_the_chunks_that_a_long_sound_comes_in(tmp_path: Path):
    sound = tone(440, 25.0, 16_000) * np.linspace(0.01, 1, 16_000 * 25)
    path = write_sound(tmp_path / "long.wav", sound[None], rate=16_000)

    rows = LogMel(step_ms=700).extract_one(Item("audio", path))

    frames = all_frames(sound)
    expected = [frames[start : start + 70].mean(axis=0) for start in range(0, len(frames), 70)]
    np.testing.assert_allclose(rows, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("step_ms", [0, -10, 25])
def test_a_step_that_is_no_number_of_frames_is_refused(tmp_path: Path, step_ms: int):
    with pytest.raises(FeatureError, match="multiple of 10"):
        LogMel(step_ms=step_ms).extract_one(Item("audio", tmp_path / "sound.wav"))


def test_a_film_without_sound_costs_no_other_ad(tmp_path: Path):
    silent = Item("video", write_silent_film(tmp_path / "silent.mp4"))
    path = write_sound(tmp_path / "tone.wav", tone(440, 1.0)[None])

    results = list(LogMel().extract([silent, Item("video", path)]))

    assert isinstance(results[0], MediaError)
    assert "no sound stream" in str(results[0])
    assert np.shape(results[1]) == (10, 64)


def test_it_is_registered():
    entry = get_extractor("logmel")

    assert entry.make is LogMel
    assert (entry.kinds, entry.gives) == (("video", "audio"), "array")


def test_the_sound_of_a_real_film(real_data: Path):
    clip = real_data / "street_clips" / "clips" / "clip002.mp4"

    rows = LogMel().extract_one(Item("video", clip))

    assert rows.shape == (36, 64)
    assert rows.min() >= np.float16(np.log(0.01))
    assert rows.astype(float).std() > 0.1
