"""Split files of the TAAC 2021 baseline: what they list, as folds, and as ads held out."""

from pathlib import Path

import pandas as pd
import pytest

from competition.datasets.datafile import read_datafile
from competition.utils.errors import FoldsError
from tests.cli.calling import call, called
from tests.datasets.made_taac2021 import TRAIN

PLACES = (
    "video_npy/Youtube8M/tagging/{}.npy",
    "audio_npy/Vggish/tagging/{}.npy",
    "image_jpg/tagging/{}.jpg",
    "text_txt/tagging/{}.txt",
)
QUICK = ["--set", 'models=["tfidf_logreg"]', "--set", "level2.model=mean", "--jobs", 1]


def record(ad: str) -> str:
    """Six lines, as the baseline writes them."""
    paths = [f"../dataset/{TRAIN}/{place.format(ad)}" for place in PLACES]
    return "\n".join([*paths, "现代,推广页", "", ""])


@pytest.fixture(scope="module")
def ads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 ads with the baseline's split of them, which lists ads without any file as well."""
    folder = tmp_path_factory.mktemp("split") / "demo"
    call("demo", folder, "--ads", 40, "--seed", 2, "--no-films")
    lines = (folder / "tagging/GroundTruth/tagging_info.txt").read_text("utf-8").splitlines()
    names = [line.split(".mp4")[0] for line in lines]
    datafile = folder / "tagging/GroundTruth/datafile"
    datafile.mkdir()
    for name, of_file in (("train.txt", [*names[10:], "gone"]), ("val.txt", names[:10])):
        (datafile / name).write_text("".join(map(record, of_file)), encoding="utf-8")
    return folder


def test_ads_are_those_of_the_paths(ads: Path) -> None:
    found = read_datafile(ads / "tagging/GroundTruth/datafile/train.txt")
    assert len(found) == 31
    assert found[-1] == "gone"


def test_split_files_are_two_folds(ads: Path, tmp_path: Path) -> None:
    folder = ads / "tagging/GroundTruth/datafile"
    call("run", "--data", ads, "--out", tmp_path, "--profile", "text", "--folds", folder, *QUICK)
    folds = pd.read_csv(tmp_path / "oof/demo/folds.csv", dtype={"id": str}).set_index("id")["fold"]
    val = read_datafile(folder / "val.txt")
    assert set(folds.index[folds == 0]) == set(val)
    assert len(folds) == 40


def test_validation_file_is_a_holdout(ads: Path, tmp_path: Path) -> None:
    val = ads / "tagging/GroundTruth/datafile/val.txt"
    given = ["--data", ads, "--out", tmp_path, "--profile", "text", "--set", "folds.n=3"]
    done = call("run", *given, "--holdout", val, *QUICK)
    assert 0 < float(done.line("GAP on the training ads held out: ")) <= 1
    folds = pd.read_csv(tmp_path / "oof/demo-holdout-val/folds.csv", dtype={"id": str})
    assert not set(folds["id"]) & set(read_datafile(val))
    assert len(folds) == 30


def test_file_that_lists_no_training_ad_holds_nothing_out(ads: Path, tmp_path: Path) -> None:
    (tmp_path / "val.txt").write_text(record("gone"), encoding="utf-8")
    done = called("run", "--data", ads, "--out", tmp_path, "--holdout", tmp_path / "val.txt")
    assert done.status == 2
    assert "lists none of the 40 training ads" in done.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (record("a") + record("a"), r"val.txt:7 \(ad a\): the ad stands in line 1 already"),
        (record("a").replace(".jpg", ".png"), r"val.txt:1: a.png stands where a .jpg is expected"),
        (record("a").replace("text_txt/tagging/a", "b"), r"found 5 line\(s\) that name 2 ad"),
        ("\n\n", "lists no ad"),
    ],
)
def test_malformed_record_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "val.txt").write_text(text, encoding="utf-8")
    with pytest.raises(FoldsError, match=message):
        read_datafile(tmp_path / "val.txt")
