"""Windows of sound are encoded as a plain pass of transformers would, whatever their batch."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from competition.features.base import Item
from competition.features.extractors.audio import Audio, windows
from competition.features.sound_encoders import Preparation, load_preparation, load_sound_encoder
from competition.utils.errors import FeatureError, MediaError
from tests.made_checkpoints import made_checkpoint
from tests.made_sound_checkpoints import MADE, made_ast, made_clap, made_waves, made_whisper
from tests.media.made_sound import load_sound, tone, write_silent_film, write_sound

SECONDS = (0.3, 1.7, 4.3, 2.5)
# Seconds that each network hears at once, and the rate it hears them at.
HEARS = {"AST": (1.295, 16_000), "CLAP": (2, 48_000), "Whisper": (3, 16_000)}


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    paths = []
    for number, seconds in enumerate(SECONDS):
        sound = tone(220 * (number + 1), seconds) + 0.1 * rng.normal(size=round(44_100 * seconds))
        paths.append(write_sound(folder / f"{number}.wav", sound.clip(-1, 1)[None]))
    return paths


def items(paths: list[Path]) -> list[Item]:
    return [Item("audio", path) for path in paths]


def plain_pass(folder: Path, family: str, sound: np.ndarray) -> np.ndarray:
    """Vector of one window, as the documentation of transformers has it."""
    processor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    inputs = processor(sound, sampling_rate=processor.sampling_rate, return_tensors="pt")
    with torch.no_grad():
        if family.startswith("CLAP"):
            network = transformers.ClapModel.from_pretrained(folder).eval()
            inputs["input_features"] = inputs["input_features"].float()
            return network.get_audio_features(**inputs).pooler_output[0].numpy()
        network = transformers.AutoModel.from_pretrained(folder).eval()
        if family == "AST":
            tokens = network(**inputs).last_hidden_state[0]
            return tokens[:2].mean(0).numpy()
        if family == "Whisper":
            frames = network.get_encoder()(inputs["input_features"]).last_hidden_state[0]
            return frames[: int(np.ceil(len(sound) / 320))].mean(0).numpy()
        return network(inputs["input_values"]).last_hidden_state[0].mean(0).numpy()


def cut(sound: np.ndarray, size: int, rate: int) -> list[np.ndarray]:
    """Windows that meet; of the last what is at least a second, and a second of a short sound."""
    found = [sound[start : start + size] for start in range(0, len(sound), size)]
    if len(found) > 1 and len(found[-1]) < rate:
        found.pop()
    if len(found[0]) < rate:
        found = [np.pad(found[0], (0, rate - len(found[0])))]
    return found


@pytest.mark.parametrize("family", MADE)
def test_vectors_are_those_of_a_plain_pass_of_each_window(
    tmp_path: Path, family: str, sounds: list[Path]
) -> None:
    folder = MADE[family](tmp_path)
    seconds, rate = HEARS.get(family.split()[0], (10, 16_000))
    given: dict[str, Any] = {}
    if family.startswith(("Wav", "HuBERT")):
        seconds, given = 2, {"window_ms": 2000}
    extractor = Audio(str(folder), device="cpu", batch_size=3, **given)

    found = list(extractor.extract(items(sounds)))

    numbers = []
    for path, vectors in zip(sounds, found, strict=True):
        assert isinstance(vectors, np.ndarray), vectors
        assert vectors.dtype == np.float32
        expected = [
            plain_pass(folder, family, window)
            for window in cut(load_sound(path, rate), round(seconds * rate), rate)
        ]
        assert vectors.shape == np.shape(expected)
        lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(expected, axis=1)
        assert ((vectors * expected).sum(1) / lengths).min() > 0.9999
        np.testing.assert_allclose(vectors, expected, atol=1e-4)
        numbers.append(len(vectors))
    by_hand = {1.295: [1, 1, 3, 2], 2: [1, 1, 2, 1], 3: [1, 1, 2, 1]}
    assert numbers == by_hand[seconds]


@pytest.mark.parametrize("family", ["Wav2Vec2", "Whisper", "CLAP"])
def test_batches_and_processes_change_nothing(
    tmp_path: Path, family: str, sounds: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = MADE[family](tmp_path)
    silent = write_silent_film(tmp_path / "silent.mp4")
    paths = [*sounds[:2], silent, *sounds[2:]]
    alone = [next(Audio(str(folder), device="cpu").extract(items([path]))) for path in paths]
    # On a GPU, windows of several ads share a batch; here so, too.
    monkeypatch.setattr(Audio, "on_gpu", lambda self: True)
    together = list(Audio(str(folder), device="cpu").extract(items(paths)))
    in_processes = list(Audio(str(folder), device="cpu").extract(items(paths), n_workers=2))
    for results in (alone, together, in_processes):
        assert isinstance(results[2], MediaError)
        assert str(results[2]) == "it has no sound stream"
    for one, other, third in zip(alone, together, in_processes, strict=True):
        if isinstance(one, np.ndarray):
            np.testing.assert_allclose(other, one, atol=1e-5)
            np.testing.assert_array_equal(third, other)


def test_what_is_heard_after_the_sound_does_not_count_in_whisper(tmp_path: Path) -> None:
    """The same second is heard in a window of 3 s whatever silence stands after it."""
    folder = made_whisper(tmp_path)
    sound = tone(440, 1, 16_000).astype(np.float32)
    encoder = load_sound_encoder(str(folder), "cpu")
    (one,) = encoder.vectors([sound])
    longer = np.pad(sound, (0, 32_000))
    processor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    inputs = processor(longer, sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        network = transformers.WhisperModel.from_pretrained(folder).eval()
        frames = network.encoder(inputs["input_features"]).last_hidden_state[0]
    np.testing.assert_allclose(one, frames[:50].mean(0), atol=1e-5)
    assert np.abs(one - frames.mean(0).numpy()).max() > 0.01


@pytest.mark.parametrize("make", [made_clap, made_whisper])
def test_only_the_tower_of_sound_is_loaded(tmp_path: Path, make: Any) -> None:
    network = load_sound_encoder(str(make(tmp_path)), "cpu").network
    names = set(network.state_dict())
    assert not any("text" in name or "decoder" in name for name in names)
    whole = load_file(tmp_path / "model.safetensors")
    assert len(names) < len(whole)


def test_silence_has_vectors_as_any_sound(tmp_path: Path) -> None:
    silence = write_sound(tmp_path / "silence.wav", np.zeros((1, 88_200)))
    for family, make in MADE.items():
        folder = make(tmp_path / family)
        (vectors,) = Audio(str(folder), device="cpu").extract(items([silence]))
        assert isinstance(vectors, np.ndarray), family
        assert np.isfinite(vectors).all()


def cuts(n: int, size: int, step: int, shortest: int, chunk: int = 7) -> list[list[int]]:
    sound = np.arange(1, n + 1, dtype=np.float32)
    chunks = [sound[start : start + chunk] for start in range(0, n, chunk)]
    return [window.astype(int).tolist() for window in windows(chunks, size, step, shortest)]


@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
def test_windows_begin_every_step(chunk: int) -> None:
    def spans(*given: int) -> list[tuple[int, int]]:
        return [(window[0], window[-1]) for window in cuts(*given, chunk=chunk)]

    assert spans(10, 4, 4, 2) == [(1, 4), (5, 8), (9, 10)]
    assert spans(9, 4, 4, 2) == [(1, 4), (5, 8)]
    assert spans(8, 4, 4, 2) == [(1, 4), (5, 8)]
    assert spans(10, 4, 2, 2) == [(1, 4), (3, 6), (5, 8), (7, 10)]
    assert spans(11, 4, 2, 2) == [(1, 4), (3, 6), (5, 8), (7, 10)]
    assert spans(11, 4, 2, 1) == [(1, 4), (3, 6), (5, 8), (7, 10), (9, 11)]
    assert spans(12, 4, 6, 2) == [(1, 4), (7, 10)]
    assert spans(9, 4, 6, 2) == [(1, 4), (7, 9)]
    assert cuts(1, 4, 4, 2, chunk=chunk) == [[1, 0]]


def test_step_and_window_are_those_that_are_set(tmp_path: Path, sounds: list[Path]) -> None:
    folder = made_waves(tmp_path, "WavLM")
    extractor = Audio(str(folder), window_ms=2000, step_ms=1000, device="cpu")
    (found,) = extractor.extract(items(sounds[2:3]))
    sound = load_sound(sounds[2], 16_000)
    starts = range(0, 3 * 16_000, 16_000)
    expected = [plain_pass(folder, "WavLM", sound[start : start + 32_000]) for start in starts]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_old_names_of_weight_norms_are_read(tmp_path: Path, sounds: list[Path]) -> None:
    """The checkpoints on the hub have them."""
    folder = made_waves(tmp_path, "Hubert")
    (expected,) = Audio(str(folder), device="cpu").extract(items(sounds[:1]))
    weights = load_file(folder / "model.safetensors")
    old = {
        name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): tensor
        for name, tensor in weights.items()
        if "masked_spec_embed" not in name
    }
    assert any(name.endswith("weight_g") for name in old)
    save_file(old, folder / "model.safetensors", metadata={"format": "pt"})
    (found,) = Audio(str(folder), device="cpu").extract(items(sounds[:1]))
    np.testing.assert_array_equal(found, expected)


def another_extractor(folder: Path) -> Path:
    made_ast(folder)
    transformers.WhisperFeatureExtractor().save_pretrained(folder)
    return folder


def other_bands(folder: Path) -> Path:
    made_whisper(folder)
    transformers.WhisperFeatureExtractor(feature_size=80, chunk_length=3).save_pretrained(folder)
    return folder


def without_weights(folder: Path) -> Path:
    (made_ast(folder) / "model.safetensors").unlink()
    return folder


def more_layers(folder: Path) -> Path:
    config = made_whisper(folder) / "config.json"
    said = {**json.loads(config.read_text("utf-8")), "encoder_layers": 3}
    config.write_text(json.dumps(said), encoding="utf-8")
    return folder


REFUSED = {
    "text": (
        lambda folder: made_checkpoint(folder, "Bert"),
        "is no encoder of sound that can be used but a BertModel. Choose an AST, CLAP, HuBERT",
    ),
    "feature extractor": (
        another_extractor,
        "of the family AST, comes with a WhisperFeatureExtractor in place of a ASTFeature",
    ),
    "bands": (other_bands, "cannot hear what its feature extractor prepares"),
    "weights": (without_weights, "cannot be loaded"),
    "layers": (more_layers, "lacks 15 of the weights of a WhisperEncoder"),
    "absent": (lambda folder: folder / "none", "There is no folder"),
}


@pytest.mark.parametrize(("make", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_other_checkpoints_are_refused_with_the_reason(
    tmp_path: Path, make: Any, reason: str, sounds: list[Path]
) -> None:
    with pytest.raises(FeatureError, match=reason):
        Audio(str(make(tmp_path)), device="cpu").extract_one(Item("audio", sounds[0]))


def test_a_window_longer_than_the_network_hears_is_refused(tmp_path: Path) -> None:
    extractor = Audio(str(made_ast(tmp_path)), window_ms=2000, device="cpu")
    with pytest.raises(FeatureError, match=r"window_ms = 2000, but .* hears at most 1295 millisec"):
        list(extractor.extract([]))


def test_published_settings_are_the_windows_that_the_page_names() -> None:
    for processor, seconds in (
        (transformers.ASTFeatureExtractor(), 10.255),
        (transformers.ClapFeatureExtractor(), 10),
        (transformers.WhisperFeatureExtractor(), 30),
    ):
        family = type(processor).__name__.removesuffix("FeatureExtractor").replace("Clap", "CLAP")
        prepared = Preparation(family, processor)  # type: ignore[arg-type]
        assert prepared.at_once == seconds * prepared.rate


def test_without_a_checkpoint_the_feature_is_left_out(tmp_path: Path) -> None:
    assert "set checkpoint" in Audio().lacks()
    folder = made_ast(tmp_path)
    assert Audio(str(folder)).lacks() == ""
    names = {path.name for path in Audio(str(folder)).files()}
    assert {"config.json", "model.safetensors", "preprocessor_config.json"} <= names
    assert load_preparation(str(folder)).rate == 16_000
