"""What is wrong with a call is told before anything is predicted or trained, and where."""

import json
import shutil
from pathlib import Path
from unittest.mock import patch

import pandas as pd
import pytest
from PIL import Image

import competition
from competition.saved.stack import SavedStack
from tests.cli.calling import call, called

STACK = Path(__file__).parent / "stack_1" / "stack"
ADS = STACK.parent / "ads.csv"


@pytest.mark.parametrize(
    ("to", "given", "due"),
    [
        ("p.json", ("--format", "wild"), "--format wild: there is no such format."),
        ("p.txt", (), "give a name that ends so"),
        ("p.txt", ("--tags",), "give a name that ends so"),
        ("taken.csv", (), "taken.csv is a folder. Name a file."),
        ("taken.csv", ("--format", "wide"), "taken.csv is a folder. Name a file."),
        ("file/p.csv", ("--tags",), "file is a file where"),
    ],
)
def test_a_file_that_cannot_be_written_is_told_before_predicting(
    to: str, given: tuple[str, ...], due: str, tmp_path: Path
) -> None:
    (tmp_path / "taken.csv").mkdir()
    (tmp_path / "file").write_text("", "utf-8")
    with patch.object(SavedStack, "answer", side_effect=AssertionError("it predicts")):
        done = called("predict", STACK, "--data", ADS, "--to", tmp_path / to, *given)
    assert done.status == 2
    assert due in done.err
    assert "Traceback" not in done.err


def test_an_ad_twice_is_told_by_table_and_row(tmp_path: Path) -> None:
    ads = pd.read_csv(ADS, dtype=str)
    pd.concat([ads, ads[:1]]).to_csv(tmp_path / "new.csv", index=False)
    done = called("predict", STACK, "--data", tmp_path / "new.csv", "--to", tmp_path / "p.csv")
    assert done.status == 2
    assert f"Error: new.csv:{len(ads) + 2}: the ad has the id of another" in done.err
    with pytest.raises(competition.CompetitionError, match=r"^the frame, row 2: the ad has no id"):
        competition.load_stack(STACK).predict(ads[:2].assign(id=["a", ""]))


def test_a_folder_below_a_file_is_told_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    out = tmp_path / "out"
    done = called("run", "--out", out, "--save", tmp_path / "file" / "stack")
    assert done.status == 2
    assert "file is a file where" in done.err
    assert not out.exists()


def test_what_is_kept_goes_with_save(tmp_path: Path) -> None:
    done = called("run", "--out", tmp_path / "out", "--keep", "refit")
    assert done.status == 2
    assert not (tmp_path / "out").exists()


UNREAD = """\
name = "unread"
train = "train.csv"

[[tags]]
column = "tags"
dimension = "topic"

[inputs.title]
kind = "text"
column = "title"

[inputs.poster]
kind = "image"
column = "poster"
"""


def test_an_ad_that_has_only_what_no_model_reads_is_unsure(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    Image.new("RGB", (8, 8)).save(data / "a.png")
    titles = {"sea": "sun sand wave", "food": "soup bread salt"}
    ads = [(f"a{n}", titles[tag], "a.png", tag) for n, tag in enumerate([*titles] * 15)]
    table = pd.DataFrame(ads, columns=["id", "title", "poster", "tags"])
    table.to_csv(data / "train.csv", index=False)
    (data / "competition.toml").write_text(UNREAD, "utf-8")
    quick = ['models=["tfidf_logreg"]', "folds.n=3", "level2.model=mean"]
    given = [word for one in quick for word in ("--set", one)]
    call(
        *("save", tmp_path / "stack", "--data", data, "--out", tmp_path / "out"),
        *("--profile", "text", "--jobs", 1, *given),
    )
    new = pd.DataFrame({"title": ["", "sun sand"], "poster": "a.png"}, index=["picture", "both"])
    found = competition.load_stack(tmp_path / "stack", n_jobs=1).predict(new, root=data)
    assert found["why"].to_list() == ["no input", ""]


IMITATES = {"stack": "mean", "n_models": 2, "stack_gap": 0.5, "share": 0.5, "gaps": [[0.5, 0.5]]}


@pytest.mark.parametrize("command", ["describe", "predict"])
@pytest.mark.parametrize(
    ("key", "value", "due"),
    [
        (None, [1], "is damaged (it is no JSON object). Copy the whole folder again"),
        ("kinds", {}, "is read, and has no kind. Copy the whole folder again"),
        ("profile", {}, "manifest.json: the profile has no features."),
        ("distillation", IMITATES, "manifest.json: more than one model imitates another stack."),
        ("models", {}, "manifest.json: there is no model, or one of an impossible name."),
        ("top_k", "many", "manifest.json: top_k: Input should be a valid integer"),
    ],
)
def test_a_manifest_without_a_seal_that_was_edited_is_one_sentence(
    command: str, key: str | None, value: object, due: str, tmp_path: Path
) -> None:
    folder = shutil.copytree(STACK, tmp_path / "stack")
    path = folder / "manifest.json"
    values = {**json.loads(path.read_text("utf-8")), "seal": ""}
    path.write_text(json.dumps(value if key is None else {**values, key: value}), "utf-8")
    more = ("--data", ADS, "--to", tmp_path / "p.csv") if command == "predict" else ()
    done = called(command, folder, *more)
    assert done.status == 2
    assert due in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not (tmp_path / "p.csv").exists()
