"""Folders that hold new ads alone, without training ads and labels, in the layouts of training."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from competition import make_demo
from competition.datasets.taac2021 import GROUND_TRUTH, TAG_LIST, TRAIN
from tests.cli.calling import call, called

TOML = """\
name = "words"
train = "train.csv"
test = "test.csv"

[[tags]]
column = "tags"
dimension = "topic"

[inputs.title]
kind = "text"
column = "title"
"""
QUICK = ('models=["tfidf_logreg"]', "folds.n=3", "level2.model=mean")


def saved(data: Path, folder: Path) -> pd.DataFrame:
    """Save a stack of a folder of ads; return what it says of its test ads."""
    sets = [part for one in QUICK for part in ("--set", one)]
    call("save", folder / "stack", "--data", data, "--out", folder / "out", "--jobs", 1, *sets)
    return predicted(folder / "stack", data)


def predicted(stack: Path, data: Path) -> pd.DataFrame:
    to = stack.parent / "p.parquet"
    call("predict", stack, "--data", data, "--to", to)
    return pd.read_parquet(to)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    folder = tmp_path / "ads"
    folder.mkdir()
    words = {"sea": "sun sand wave", "food": "soup bread spice"}
    made = [(f"ad{n:02}", words[tag], tag) for n in range(20) for tag in (list(words)[n % 2],)]
    ads = pd.DataFrame(made, columns=["id", "title", "tags"])
    ads[:14].to_csv(folder / "train.csv", index=False)
    ads[14:].drop(columns="tags").to_csv(folder / "test.csv", index=False)
    (folder / "competition.toml").write_text(TOML, "utf-8")
    return folder


@pytest.mark.parametrize("named", ["test", "train"])
def test_a_table_without_labels(table: Path, tmp_path: Path, named: str) -> None:
    whole = saved(table, tmp_path)
    (table / "train.csv").unlink()
    if named == "train":
        text = TOML.replace('test = "test.csv"\n', "").replace("train.csv", "test.csv")
        (table / "competition.toml").write_text(text, "utf-8")
    pd.testing.assert_frame_equal(predicted(tmp_path / "stack", table), whole)
    # For a run it is no folder of ads to learn from.
    done = called("run", "--data", table, "--out", tmp_path / "other")
    assert done.status == 2
    assert "Traceback" not in done.err


@pytest.mark.parametrize("with_tags", [True, False])
def test_the_competitions_layout_without_labels(tmp_path: Path, with_tags: bool) -> None:
    data = tmp_path / "ads"
    make_demo(data, 24, films=False)
    whole = saved(data, tmp_path)
    shutil.rmtree(data / TRAIN)
    (data / GROUND_TRUTH).unlink()
    if not with_tags:
        (data / TAG_LIST).unlink()
    pd.testing.assert_frame_equal(predicted(tmp_path / "stack", data), whole)
    assert called("run", "--data", data, "--out", tmp_path / "other").status == 2
