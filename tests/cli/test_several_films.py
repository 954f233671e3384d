"""Ads with several films or sounds, and features by how many ads are pending."""

import shutil
import wave
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.cli.calling import called
from tests.features.extracted import extracted

TOML = """\
name = "clips"
train = "train.csv"

[[tags]]
column = "tags"
dimension = "tag"

[inputs.{name}]
kind = "{kind}"
column = "files"
separator = ";"
"""
PROFILE = """\
[features.thumbnails]
extractor = "thumbnails"
side = 4

[features.media]
extractor = "media_metadata"

[features.logmel]
extractor = "logmel"
"""


def write(folder: Path, cells: dict[str, str], name: str = "film", kind: str = "video") -> Path:
    rows = {"id": list(cells), "files": list(cells.values()), "tags": "a"}
    pd.DataFrame(rows).to_csv(folder / "train.csv", index=False)
    (folder / "competition.toml").write_text(TOML.format(name=name, kind=kind), encoding="utf-8")
    return folder


def features(data: Path, out: Path, n_jobs: int = 1) -> dict[str, pd.Series]:
    """The cells of each feature, by ad."""
    (data / "own.toml").write_text(PROFILE, encoding="utf-8")
    dataset, _, arrays = extracted(data, data / "own.toml", out, n_jobs)
    facts = [] if not dataset.has("media") else list(dataset.inputs["media"].columns)
    return {**arrays, "media": dataset.ads[facts]}


@pytest.fixture
def films(demo_films: Path, tmp_path: Path) -> tuple[Path, list[str]]:
    """A folder with the demo's films, and their names."""
    folder = tmp_path / "ads"
    folder.mkdir()
    names = []
    for path in sorted(demo_films.glob("videos/*/*.mp4")):
        shutil.copy(path, folder / path.name)
        names.append(path.name)
    return folder, names


def test_films_of_an_ad_follow_each_other(films: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, names = films
    cells = {"one": names[0], "two": names[1], "both": f"{names[0]};{names[1]}"}
    found = features(write(folder, cells), tmp_path / "out")
    for name in ("thumbnails", "logmel"):
        of = found[name]
        np.testing.assert_array_equal(of["both"], np.concatenate([of["one"], of["two"]]))
    media = found["media"]
    assert len(media.columns) == 8
    mean = (media.loc["one"].astype(float) + media.loc["two"].astype(float)) / 2
    np.testing.assert_allclose(media.loc["both"].astype(float), mean)


def test_features_do_not_depend_on_how_many_ads_are_pending(
    films: tuple[Path, list[str]], tmp_path: Path
) -> None:
    folder, names = films
    cells = {f"ad{i}": name for i, name in enumerate(names)}
    at_once = features(write(folder, cells), tmp_path / "at once", n_jobs=2)
    few = dict(list(cells.items())[::3])
    features(write(folder, few), tmp_path / "grown", n_jobs=2)
    grown = features(write(folder, cells), tmp_path / "grown", n_jobs=2)
    for name in ("thumbnails", "logmel"):
        for ad in cells:
            np.testing.assert_array_equal(grown[name][ad], at_once[name][ad])
    pd.testing.assert_frame_equal(grown["media"], at_once["media"], check_exact=True)


def test_sounds_of_an_ad_follow_each_other(tmp_path: Path) -> None:
    folder = tmp_path / "ads"
    folder.mkdir()
    for name, pitch in (("low", 220), ("high", 1760)):
        waves = 0.4 * np.sin(2 * np.pi * pitch * np.arange(3 * 16000) / 16000)
        with wave.open(str(folder / f"{name}.wav"), "wb") as file:
            file.setparams((1, 2, 16000, 0, "NONE", ""))
            file.writeframes((waves * 32767).astype("<i2").tobytes())
    (folder / "broken.wav").write_bytes(b"no sound")
    cells = {
        "low": "low.wav",
        "high": "high.wav",
        "both": "high.wav;low.wav",
        "half": "broken.wav;low.wav",
    }
    write(folder, cells, "sound", "audio")
    said = called("check", folder, "--all").out  # that four ads are few, too
    assert "broken.wav (ad half): broken audio" in " ".join(said.split())
    logmel = features(folder, tmp_path / "out")["logmel"]
    both = np.concatenate([logmel["high"], logmel["low"]])
    np.testing.assert_array_equal(logmel["both"], both)
    np.testing.assert_array_equal(logmel["half"], logmel["low"])
    assert logmel["high"].mean(axis=0).argmax() > logmel["low"].mean(axis=0).argmax()
