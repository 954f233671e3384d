"""Ads with several pictures, by the command line."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from competition.datasets import load_dataset
from competition.datasets.base import files_of
from tests.cli.calling import call, called
from tests.features.extracted import extracted

COLOURS = {"sea": (20, 60, 200), "food": (210, 120, 30), "wood": (20, 140, 40)}
PROFILE = """\
models = ["probe"]

[folds]
n = 2

[features.pixels]
extractor = "thumbnails"
side = 2
"""
TOML = """\
name = "pictures"
train = "train.csv"

[[tags]]
column = "tags"
dimension = "tag"

[inputs.pictures]
kind = "image"
column = "pictures"
separator = ";"
"""
CELLS = {
    "one": "sea.png",
    "separator": "sea.png; food.png",
    "list": "['sea.png', 'food.png']",
    "folder": "album",
    "order": "food.png;sea.png",
    "broken": "sea.png;bad.png",
    "absent": "sea.png;none.png;food.png",
    "none": "bad.png;none.png",
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    (folder / "album").mkdir(parents=True)
    for name, colour in COLOURS.items():
        Image.new("RGB", (40, 30), colour).save(folder / f"{name}.png")
    Image.new("RGB", (40, 30), COLOURS["sea"]).save(folder / "album" / "1.png")
    Image.new("RGB", (40, 30), COLOURS["wood"]).save(folder / "album" / "2.png")
    (folder / "album" / ".hidden").write_text("nothing")
    (folder / "bad.png").write_bytes(b"no picture")
    rows = {"id": list(CELLS), "pictures": list(CELLS.values()), "tags": "a"}
    pd.DataFrame(rows).to_csv(folder / "train.csv", index=False)
    (folder / "competition.toml").write_text(TOML, encoding="utf-8")
    return folder


def thumbnails(data: Path, out: Path) -> tuple[dict[str, np.ndarray], tuple]:
    """The feature of each ad, and the faults of files."""
    own = data / "own.toml"
    own.write_text(PROFILE, encoding="utf-8")
    _, (pixels,), arrays = extracted(data, own, out)
    return arrays[pixels.feature].dropna().to_dict(), pixels.faults


def colours(rows: np.ndarray) -> list[str]:
    """The name of the colour of each row."""
    names, known = list(COLOURS), np.array(list(COLOURS.values())) / 255
    means = rows.reshape(len(rows), -1, 3).mean(axis=1)
    return [names[int(np.abs(known - mean).sum(axis=1).argmin())] for mean in means]


def test_cells_name_files_by_separator_list_or_folder(data: Path) -> None:
    cells = load_dataset(data).ads["pictures"]
    assert files_of(cells["separator"]) == files_of(cells["list"]) == ["sea.png", "food.png"]
    assert files_of(cells["folder"]) == ["album/1.png", "album/2.png"]
    assert files_of(cells["absent"]) == ["sea.png", "food.png"]


def test_check_names_each_file_that_is_absent_or_broken(data: Path) -> None:
    done = call("check", data, "--all")
    text = " ".join(done.out.split())
    assert "train.csv:8 (ad absent): column pictures: there is no file none.png; it is left" in text
    assert "bad.png (ad broken): broken image" in text


def test_file_that_leaves_the_folder_is_refused_wherever_it_stands_in_a_cell(data: Path) -> None:
    table = (data / "train.csv").read_text().replace("sea.png; food.png", "sea.png; ../x.png")
    (data / "train.csv").write_text(table)
    done = called("check", data)
    assert done.status == 2
    assert "leaves the dataset's folder" in done.out


def test_pictures_of_an_ad_are_the_frames_of_one_feature(data: Path, tmp_path: Path) -> None:
    found, faults = thumbnails(data, tmp_path / "out")
    assert {ad: colours(rows) for ad, rows in found.items()} == {
        "one": ["sea"],
        "separator": ["sea", "food"],
        "list": ["sea", "food"],
        "folder": ["sea", "wood"],
        "order": ["food", "sea"],
        "broken": ["sea"],
        "absent": ["sea", "food"],
    }
    assert [(ad, file) for ad, file, _ in faults] == [("broken", "bad.png"), ("none", "bad.png")]


def test_ad_with_one_file_has_the_bytes_that_it_has_without_the_others(
    data: Path, tmp_path: Path
) -> None:
    several, _ = thumbnails(data, tmp_path / "several")
    rows = {"id": ["one", "two"], "pictures": ["sea.png", "food.png"], "tags": "a"}
    pd.DataFrame(rows).to_csv(data / "train.csv", index=False)
    single, _ = thumbnails(data, tmp_path / "single")
    assert single["one"].tobytes() == several["one"].tobytes()
    assert several["list"].tobytes() == single["one"].tobytes() + single["two"].tobytes()


def test_second_extraction_finds_everything_stored(data: Path, tmp_path: Path) -> None:
    first, _ = thumbnails(data, tmp_path / "out")
    shards = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "cache").rglob("*.npy")}
    again, _ = thumbnails(data, tmp_path / "out")
    assert shards == {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "cache").rglob("*.npy")}
    assert all(np.array_equal(first[ad], again[ad]) for ad in first)


def test_run_learns_from_the_pictures_of_an_ad(data: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = list(COLOURS)
    shown = [list(rng.permutation(3)[: 1 + i % 2]) for i in range(40)]
    rows = {
        "id": [f"ad{i}" for i in range(40)],
        "pictures": [";".join(f"{names[one]}.png" for one in its) for its in shown],
        "tags": ["|".join(names[one] for one in its) for its in shown],
    }
    pd.DataFrame(rows).to_csv(data / "train.csv", index=False)
    (data / "own.toml").write_text(PROFILE + '[level2]\nmodel = "mean"\n', encoding="utf-8")
    out = tmp_path / "out"
    call("run", "--data", data, "--out", out, "--profile", data / "own.toml", "--jobs", 1)
    (card,) = out.glob("oof/pictures/probe/card.json")
    gap = pd.read_json(card, typ="series")["scores"]["gap"]
    assert gap > 0.95
