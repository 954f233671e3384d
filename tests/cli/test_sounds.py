"""Sounds and films through an encoder of sound, by the command line: features, models, stack."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import transformers

from tests.cli.calling import call, called
from tests.features.extracted import extracted
from tests.made_checkpoints import made_checkpoint
from tests.made_sound_checkpoints import MADE, made_waves
from tests.media.made_sound import load_sound, tone, write_silent_film, write_sound

TOML = """\
name = "sounds"
train = "train.csv"
test = "test.csv"

[[tags]]
column = "tags"
dimension = "tag"

[inputs.{kind}]
kind = "{kind}"
column = "files"
separator = ";"
"""
PROFILE = """\
kinds = ["array"]
models = []
[folds]
n = 2
[features.vectors]
extractor = "audio"
checkpoint = "{folder}"
{more}
[level1.probe_vectors]
model = "probe"
inputs = ["vectors"]
[level1.sound_vectors]
model = "sound"
inputs = ["vectors"]
epochs = 8
[level2]
model = "mean"
"""
N_TRAIN, N_TEST = 24, 4


@pytest.fixture
def ads(tmp_path: Path) -> Path:
    """Ads of low and high sounds of 2 to 3.5 s; ad1 has two files, and the last one no sound."""
    folder = tmp_path / "sounds"
    folder.mkdir()
    rng = np.random.default_rng(0)
    files = []
    for number in range(N_TRAIN + N_TEST):
        hertz = (200, 3000)[number % 2] * rng.uniform(0.9, 1.1)
        sound = tone(hertz, 2 + number % 4 / 2) + 0.02 * rng.normal(size=1)
        files.append(write_sound(folder / f"{number}.wav", sound.clip(-1, 1)[None]).name)
    files[1] += f";{files[3]}"
    write_silent_film(folder / "silent.mp4")
    files[-1] = "silent.mp4"
    table = pd.DataFrame(
        {
            "id": [f"ad{number}" for number in range(N_TRAIN + N_TEST)],
            "files": files,
            "tags": [("low", "high")[number % 2] for number in range(N_TRAIN + N_TEST)],
        }
    )
    table[:N_TRAIN].to_csv(folder / "train.csv", index=False)
    table[N_TRAIN:].drop(columns="tags").to_csv(folder / "test.csv", index=False)
    (folder / "competition.toml").write_text(TOML.format(kind="audio"), encoding="utf-8")
    return folder


def written(path: Path, folder: Path, more: str = "") -> Path:
    path.write_text(PROFILE.format(folder=folder, more=more), encoding="utf-8")
    return path


def vectors_of(data: Path, profile: Path, out: Path) -> dict[str, np.ndarray]:
    """Stored vectors of each ad; nothing is extracted anew."""
    _, (found,), arrays = extracted(data, profile, out)
    assert found.n_new == 0
    return arrays["vectors"].dropna().to_dict()


def plain_pass(folder: Path, sound: np.ndarray) -> np.ndarray:
    processor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    network = transformers.AutoModel.from_pretrained(folder).eval()
    inputs = processor(sound, sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        return network(inputs["input_values"]).last_hidden_state[0].mean(0).numpy()


def test_run_on_sounds_stacks_models_of_the_vectors_that_a_plain_pass_gives(
    ads: Path, tmp_path: Path
) -> None:
    folder = made_waves(tmp_path / "model", "Hubert")
    profile = written(tmp_path / "p.toml", folder, "window_ms = 2000")
    given = ["--data", ads, "--profile", profile, "--out", tmp_path, "--jobs", 1]

    done = call("run", *given, "--device", "cpu")

    missing = "vectors: silent.mp4 (ad ad27) counts as missing: it has no sound stream"
    assert missing in " ".join(done.out.split())
    for model in ("probe_vectors", "sound_vectors"):
        card = json.loads((tmp_path / "oof" / "sounds" / model / "card.json").read_text("utf-8"))
        assert done.row(model)[1] == f"{card['scores']['gap']:.4f}"
        assert card["origin"] == "model"  # the name of the checkpoint's folder
    # Low and high sounds are told apart.
    assert float(done.row("probe_vectors")[1]) > 0.95
    found = vectors_of(ads, profile, tmp_path)
    assert set(found) == {f"ad{number}" for number in range(N_TRAIN + N_TEST - 1)}
    for number in (0, 1, 2, 26):
        names = [number] if number != 1 else [1, 3]
        expected = []
        for name in names:
            sound = load_sound(ads / f"{name}.wav", 16_000)
            windows = [sound[:32_000]] + ([sound[32_000:]] if len(sound) >= 48_000 else [])
            expected += [plain_pass(folder, window) for window in windows]
        np.testing.assert_allclose(found[f"ad{number}"], expected, atol=1e-4)


@pytest.mark.parametrize("family", ["CLAP", "Whisper"])
def test_run_on_the_sound_of_films(demo_films: Path, tmp_path: Path, family: str) -> None:
    folder = MADE[family](tmp_path / "model")
    profile = written(tmp_path / "p.toml", folder, 'input = "video"')
    done = call(
        *("run", "--data", demo_films, "--profile", profile, "--out", tmp_path, "--jobs", 1),
        *("--device", "cpu", "--set", "level1.sound_vectors.epochs=1"),
    )
    assert "left out" not in done.out
    found = vectors_of(demo_films, profile, tmp_path)
    assert len(found) == 12
    widths = {vectors.shape[1] for vectors in found.values()}
    assert widths == {12 if family == "CLAP" else 16}
    assert float(done.row("probe_vectors")[1]) > 0


def test_another_checkpoint_is_another_feature(ads: Path, tmp_path: Path) -> None:
    first = made_waves(tmp_path / "first", "Hubert")
    second = made_waves(tmp_path / "second", "WavLM")
    given = ["--data", ads, "--out", tmp_path, "--jobs", 1, "--device", "cpu"]
    numbers = []
    for folder in (first, first, second):
        profile = written(tmp_path / "p.toml", folder)
        numbers.append(int(call("extract", *given, "--profile", profile).row("vectors")[5]))
    assert numbers == [28, 0, 28]


def test_a_checkpoint_that_hears_nothing_is_refused_in_one_message(
    ads: Path, tmp_path: Path
) -> None:
    profile = written(tmp_path / "p.toml", made_checkpoint(tmp_path / "model", "Bert"))
    done = called("run", "--data", ads, "--profile", profile, "--out", tmp_path, "--jobs", 1)
    assert done.status == 2
    assert "is no encoder of sound that can be used but a BertModel" in " ".join(done.err.split())
    assert "Traceback" not in done.err


def test_extractors_are_listed_with_it() -> None:
    assert "audio" in call("models").out
