"""What decodes and prepares is part of a feature: another version extracts it anew."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from competition.utils.versions import version_of
from tests.cli.calling import call
from tests.conftest import write_csv

TOML = """\
name = "pictures"
train = "train.csv"

[[tags]]
column = "tags"
dimension = "tag"

[inputs.poster]
kind = "image"
column = "poster"

[inputs.film]
kind = "video"
column = "film"
"""
PROFILE = """\
models = ["probe"]
[folds]
n = 2
[features.pixels]
extractor = "thumbnails"
input = "poster"
[features.sound]
extractor = "logmel"
input = "film"
"""


@pytest.fixture
def data(tmp_path: Path, demo_films: Path) -> Path:
    """Two ads with a picture, one of them HEIC, and a film."""
    pillow_heif = pytest.importorskip("pillow_heif")
    folder = tmp_path / "pictures"
    folder.mkdir()
    picture = Image.fromarray(np.full((20, 30, 3), 90, dtype=np.uint8))
    picture.save(folder / "a.png")
    pillow_heif.from_pillow(picture).save(folder / "b.heic")
    film = sorted(demo_films.rglob("*.mp4"))[0]
    (folder / "film.mp4").write_bytes(film.read_bytes())
    rows = [["a", "a.png", "film.mp4", "x"], ["b", "b.heic", "film.mp4", "y"]]
    write_csv(folder / "train.csv", ["id", "poster", "film", "tags"], rows)
    (folder / "competition.toml").write_text(TOML, encoding="utf-8")
    (tmp_path / "profile.toml").write_text(PROFILE, encoding="utf-8")
    return folder


def extracted(data: Path) -> str:
    """What `extract` prints, in one line."""
    profile = data.parent / "profile.toml"
    done = call(
        *("extract", "--data", data, "--out", data.parent, "--profile", profile, "--jobs", 1)
    )
    return " ".join((done.out + done.err).split())


def folders(data: Path) -> dict[str, dict[str, Any]]:
    cache = data.parent / "cache"
    return {
        path.parent.name: json.loads(path.read_text("utf-8")) for path in cache.rglob("about.json")
    }


def pretend(monkeypatch: pytest.MonkeyPatch, package: str, version: str | None) -> None:
    def found(name: str) -> str:
        return version_of(name) if name != package else version or ""

    monkeypatch.setattr("competition.utils.versions.version_of", found)


def test_another_pillow_extracts_pictures_anew_and_no_sound(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extracted(data)
    before = folders(data)
    extracted(data)
    assert folders(data) == before  # nothing is new

    pretend(monkeypatch, "pillow", "99.0")
    extracted(data)
    new = {name: about for name, about in folders(data).items() if name not in before}
    assert [about["extractor"] for about in new.values()] == ["thumbnails"]
    assert [about["prepared by"]["pillow"] for about in new.values()] == ["99.0"]


def test_another_pyav_extracts_sound_anew_and_no_pictures(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extracted(data)
    before = folders(data)
    pretend(monkeypatch, "av", "99.0")
    extracted(data)
    new = {name: about for name, about in folders(data).items() if name not in before}
    assert [about["extractor"] for about in new.values()] == ["logmel"]


def test_a_heic_picture_is_read_once_its_package_is_installed(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        without.setattr("competition.media.images.find_spec", lambda name: None)
        pretend(without, "pillow-heif", None)
        said = extracted(data)
        assert "b.heic" in said
        assert "install the package pillow-heif" in said
    assert "b.heic" not in extracted(data)
