"""Zero-shot tags by the command line: pictures through CLIP, tags by their names."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import transformers
from PIL import Image

from tests.cli.calling import called
from tests.conftest import write_csv
from tests.made_dual import made_dual, place_texts, plain_texts
from tests.media.made_sound import load_sound, tone, write_sound

COLOURS = {"red": (220, 20, 20), "green": (20, 200, 40), "blue": (30, 40, 230)}
RARE = "gold"
PAINTS = {**COLOURS, RARE: (250, 210, 40)}
TOML = """\
name = "paints"
train = "train.csv"
test = "test.csv"

[[tags]]
column = "tags"
dimension = "colour"
separator = "|"

[inputs.poster]
kind = "image"
column = "poster"
"""
PROFILE = """\
models = []

[folds]
n = 3

[features.clip]
extractor = "vit"
checkpoint = "{folder}"
pooling = "{pooling}"

[level1.names]
model = "zero_shot"
inputs = ["clip"]
checkpoint = "{folder}"
template = ["a photo of {{}}", "{{}}"]

[level2]
model = "mean"
"""


def painted(path: Path, paint: str, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(-20, 21, (24, 32, 3))
    colours = (np.array(PAINTS[paint]) + noise).clip(0, 255).astype(np.uint8)
    Image.fromarray(colours).save(path)


def plain_pictures(folder: Path, paths: list[Path]) -> np.ndarray:
    """Projected vectors of pictures by the whole network, of length 1."""
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    network = transformers.AutoModel.from_pretrained(folder).eval()
    pixels = processor([Image.open(path) for path in paths], return_tensors="pt")
    with torch.no_grad():
        found = network.get_image_features(**pixels).pooler_output
    return torch.nn.functional.normalize(found, dim=1).numpy()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """31 training ads in three colours, one of them gold, and 6 test ads."""
    folder = tmp_path_factory.mktemp("paints")
    paints = [*COLOURS] * 10 + [RARE]
    rows = []
    for number, paint in enumerate(paints):
        painted(folder / f"ad{number:02}.png", paint, number)
        rows.append([f"ad{number:02}", f"ad{number:02}.png", paint])
    tests = []
    for number, paint in enumerate([*COLOURS] * 2):
        painted(folder / f"test{number}.png", paint, 100 + number)
        tests.append([f"test{number}", f"test{number}.png"])
    write_csv(folder / "train.csv", ["id", "poster", "tags"], rows)
    write_csv(folder / "test.csv", ["id", "poster"], tests)
    (folder / "competition.toml").write_text(TOML, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def clip(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP of random weights whose texts lie where the pictures of their paint do."""
    folder = made_dual(tmp_path_factory.mktemp("clip"), "CLIP", ["a", "photo", "of", *PAINTS])
    for number, paint in enumerate(PAINTS):
        painted(folder / f"{paint}.png", paint, 200 + number)
    vectors = plain_pictures(folder, [folder / f"{paint}.png" for paint in PAINTS])
    away = vectors - vectors.mean(axis=0)
    texts = [t.format(paint) for t in ("a photo of {}", "{}") for paint in PAINTS]
    place_texts(folder, texts, np.vstack([away, away]))
    return folder


def profile_of(path: Path, folder: Path, pooling: str = "projection") -> Path:
    path.write_text(PROFILE.format(folder=folder, pooling=pooling), encoding="utf-8")
    return path


def test_run_tags_pictures_by_the_names_of_tags(data: Path, clip: Path, tmp_path: Path) -> None:
    profile = profile_of(tmp_path / "p.toml", clip)
    done = called(
        *("run", "--data", data, "--out", tmp_path, "--profile", profile, "--jobs", 1),
        *("--device", "cpu"),
    )
    assert done.status == 0, done.err
    assert clip.name in " ".join(done.row("names"))  # made from

    store = tmp_path / "oof" / "paints" / "names"
    card = json.loads((store / "card.json").read_text("utf-8"))
    assert card["scores"]["gap"] > 0.9
    oof = pd.read_parquet(store / "oof.parquet").set_index("id").sort_index()
    train = pd.read_csv(data / "train.csv", index_col="id").sort_index()

    vectors = plain_pictures(clip, [data / name for name in train["poster"]])
    centres = plain_pictures(clip, [clip / f"{paint}.png" for paint in PAINTS])
    away = centres - centres.mean(axis=0)
    cosines = vectors @ (away / np.linalg.norm(away, axis=1, keepdims=True)).T
    for fold in range(3):
        held_out = (oof["fold"] == fold).to_numpy()
        for column, paint in enumerate(PAINTS):
            found, wanted = oof[paint].to_numpy()[held_out], cosines[held_out, column]
            # Calibration is monotone: the ads of a fold stand in the order of the plain cosines.
            assert np.corrcoef(found.argsort().argsort(), wanted.argsort().argsort())[0, 1] > 0.95

    # The tag that one ad carries: no ad of its training folds does, and yet it comes first.
    gold = train.index[train["tags"] == RARE][0]
    its_fold = oof[oof["fold"] == oof.at[gold, "fold"]]
    assert its_fold[RARE].idxmax() == gold
    assert 0 < its_fold[RARE].drop(gold).max() < its_fold.at[gold, RARE]


def test_feature_that_is_not_projected_is_refused(data: Path, clip: Path, tmp_path: Path) -> None:
    profile = profile_of(tmp_path / "p.toml", clip, "cls")
    done = called(
        *("run", "--data", data, "--out", tmp_path, "--profile", profile, "--jobs", 1),
        *("--device", "cpu"),
    )
    assert done.status == 2
    said = " ".join(done.err.split())
    assert "the vectors of clip have 16 numbers, and the projection of" in said
    assert 'has 12. Extract the feature with that checkpoint and pooling = "projection"' in said
    assert "Traceback" not in said


def test_run_tags_sounds_by_the_names_of_tags(tmp_path: Path) -> None:
    pitches = {"low": 200, "high": 2000}
    clap = made_dual(tmp_path / "clap", "Clap", ["a", "photo", "of", *pitches])
    network = transformers.ClapModel.from_pretrained(clap).eval()
    with torch.no_grad():  # with small weights, words and sounds are nearly alike
        for weights in network.parameters():
            if weights.dim() > 1:
                weights.mul_(8)
    network.save_pretrained(clap)
    ads = tmp_path / "ads"
    ads.mkdir()
    names = [name for name in pitches for _ in range(6)]
    for number, name in enumerate(names):
        sound = tone(pitches[name] * (1 + 0.05 * number), 1.5)
        write_sound(ads / f"ad{number:02}.wav", sound[None])
    rows = [[f"ad{i:02}", f"ad{i:02}.wav", name] for i, name in enumerate(names)]
    write_csv(ads / "train.csv", ["id", "poster", "tags"], rows)
    toml = TOML.replace('test = "test.csv"\n', "").replace('kind = "image"', 'kind = "audio"')
    (ads / "competition.toml").write_text(toml, encoding="utf-8")
    text = PROFILE.format(folder=clap, pooling="projection")
    text = text.replace('"vit"', '"audio"').replace('pooling = "projection"\n', "")
    text = text.replace("[level2]", "calibrate = false\n\n[level2]")
    (tmp_path / "p.toml").write_text(text, encoding="utf-8")

    done = called(
        *("run", "--data", ads, "--out", tmp_path, "--profile", tmp_path / "p.toml", "--jobs", 1),
        *("--device", "cpu"),
    )
    assert done.status == 0, done.err
    store = tmp_path / "oof" / "paints" / "names" / "oof.parquet"
    oof = pd.read_parquet(store).set_index("id").sort_index()
    prepare = transformers.AutoFeatureExtractor.from_pretrained(clap)
    heard = [
        prepare(
            load_sound(ads / f"ad{i:02}.wav", 48_000), sampling_rate=48_000, return_tensors="pt"
        )
        for i in range(len(names))
    ]
    with torch.no_grad():
        vectors = torch.cat([network.get_audio_features(**one).pooler_output for one in heard])
    vectors = torch.nn.functional.normalize(vectors, dim=1).numpy()
    texts = np.array(
        [plain_texts(clap, [f"a photo of {name}", name]).mean(axis=0) for name in sorted(pitches)]
    )
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    logits = vectors @ texts.T * float(network.logit_scale_a.detach().exp())
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(oof[sorted(pitches)], expected, atol=2e-3)
    assert expected.std(axis=0).min() > 0.01  # so that the comparison says something
