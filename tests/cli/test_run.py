"""`run`, `stack` and `add-oof`, by what they print and what they write."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from competition.datasets import load_dataset
from competition.evaluation.metrics import gap
from tests.cli.calling import Called, call, called
from tests.cli.conftest import MODELS, QUICK
from tests.conftest import write_csv

PLUGIN = '''\
import numpy as np

from competition import Level1Model, level1_model


@level1_model("shares_of_a_plugin", kinds=("text",))
class Shares(Level1Model):
    """The share of each tag."""

    def _fit(self, X, Y):
        self.shares_ = Y.mean(axis=0)

    def _predict_proba(self, X):
        return np.tile(self.shares_, (len(X), 1))
'''


def card(out: Path, model: str) -> dict[str, Any]:
    return json.loads((out / "oof" / "demo" / model / "card.json").read_text(encoding="utf-8"))


def times(folder: Path) -> dict[Path, int]:
    """When each file was written but for run.json, which every run writes anew."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "run.json"]
    return {path: path.stat().st_mtime_ns for path in files}


def test_run_prints_the_scores_that_it_stores(finished: tuple[Path, Called]) -> None:
    out, done = finished
    for model in (*MODELS, "stack-mean"):
        scores = card(out, model)["scores"]
        printed = [f"{scores[name]:.4f}" for name in ("gap", "map")]
        assert done.row(model)[1:3] == printed


def test_run_says_how_many_ads_folds_and_models_there_are(finished: tuple[Path, Called]) -> None:
    said = "demo: 60 training ads and 12 test ads, 40 tags, 3 folds, 2 level-1 models"
    assert said in finished[1].out


def test_run_writes_below_out_and_nowhere_else(finished: tuple[Path, Called]) -> None:
    out, _ = finished
    assert {path.name for path in out.iterdir()} == {"oof", "submissions", "cache"}
    assert {path.name for path in (out / "oof" / "demo").iterdir()} == {
        *(".locks", "folds.csv", "run.json", "report", "stack-mean"),
        *MODELS,
    }


def test_results_go_to_the_current_folder_by_default(ads: Path, tmp_path: Path) -> None:
    done = call("run", "--data", ads, *QUICK, cwd=tmp_path)
    path = tmp_path / done.line("Submission: ")
    assert path.parent == tmp_path / "submissions"
    assert path.is_file()


def test_submission_scores_as_printed(finished: tuple[Path, Called], ads: Path) -> None:
    _, done = finished
    path = done.line("Submission: ")
    scored = call("score", path, "--data", ads)
    assert scored.out.splitlines()[0] == "GAP " + done.line("GAP on the test ads: ")


def test_second_run_trains_nothing_and_prints_the_same(
    finished: tuple[Path, Called], ads: Path, out: Path
) -> None:
    before = times(out / "oof")
    again = call("run", "--data", ads, "--out", out, *QUICK)
    assert times(out / "oof") == before
    for model in (*MODELS, "stack-mean"):
        assert again.row(model) == finished[1].row(model)


def test_fold_without_a_tag_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    (tmp_path / "ads").mkdir()
    (tmp_path / "ads" / "competition.toml").write_text(
        'name = "few"\ntrain = "train.csv"\ntest = "test.csv"\n[[tags]]\ncolumn = "tags"\n'
        'dimension = "topic"\n[inputs.text]\nkind = "text"\ncolumn = "text"\n'
    )
    rows = [[f"a{i}", f"word{i % 4} of {i}", "sea" if i < 3 else ""] for i in range(20)]
    write_csv(tmp_path / "ads" / "train.csv", ["id", "text", "tags"], rows)
    write_csv(tmp_path / "ads" / "test.csv", ["id", "text"], [["t", "word"]])
    where = ("run", "--data", tmp_path / "ads", "--out", tmp_path / "out", *QUICK)
    refused = called(*where, "--set", "folds.n=5")
    assert refused.status == 2
    assert "has a tag, so what is predicted for them cannot be scored" in refused.err
    assert not list((tmp_path / "out").rglob("folds.csv"))
    assert not list((tmp_path / "out").rglob("*.parquet"))
    call(*where, "--set", "folds.n=3")  # the same folder, as the message says


def test_own_folds_are_obeyed(ads: Path, finished: tuple[Path, Called], tmp_path: Path) -> None:
    folds = pd.read_csv(finished[0] / "oof" / "demo" / "folds.csv", dtype={"id": str})
    folds["fold"] = (folds["fold"] + 1) % 3
    folds.to_csv(tmp_path / "own.csv", index=False)
    call("run", "--data", ads, "--out", tmp_path, "--folds", tmp_path / "own.csv", *QUICK)
    stored = pd.read_csv(tmp_path / "oof" / "demo" / "folds.csv", dtype={"id": str})
    pd.testing.assert_frame_equal(stored, folds)


def test_holdout_is_scored_and_has_a_store_of_its_own(ads: Path, tmp_path: Path) -> None:
    done = call("run", "--data", ads, "--out", tmp_path, "--holdout", 0.2, *QUICK)
    assert 0 < float(done.line("GAP on the training ads held out: ")) <= 1
    folds = pd.read_csv(tmp_path / "oof" / "demo-holdout-0.2" / "folds.csv")
    assert len(folds) == pytest.approx(48, abs=2)  # stratified folds are not all of one size


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("level2.dnn.seeeds=3", "level2"),
        ("level2.model=maen", "no meta-learner 'maen'. Did you mean 'mean'?"),
        ('level2.metadata=["runtime"]', "demo has no metadata 'runtime'"),
        ("level1.tfidf_logreg.c=3", "level1.tfidf_logreg: unknown key c. Did you mean 'C'?"),
    ],
)
def test_mistake_in_a_setting_is_named_before_anything_is_trained(
    ads: Path, tmp_path: Path, setting: str, message: str
) -> None:
    done = called("run", "--data", ads, "--out", tmp_path, *QUICK, "--set", setting)
    assert done.status == 2
    assert message in done.err
    assert not (tmp_path / "oof").exists()


def test_stack_prints_every_candidate_and_writes_the_submission(ads: Path, out: Path) -> None:
    choice = 'level2.model=["mean", "logit_mean", "single"]'
    done = call("stack", "--data", ads, "--out", out, "--set", choice)
    found = card(out, "stack-selection")
    for name, value in found["candidates"].items():
        assert done.row(name)[1] == f"{value:.4f}"
    assert set(found["candidates"]) == {"mean", "logit_mean", "single"}
    assert found["candidates"]["mean"] == card(out, "stack-mean")["scores"]["gap"]
    begins = ("their weighted mean", "chosen")
    (chosen,) = [line for line in done.out.splitlines() if line.lstrip("│ ").startswith(begins)]
    assert f"{found['scores']['gap']:.4f}" in chosen
    path = Path(done.line("Submission: "))
    assert path.is_file()
    assert call("score", path, "--data", ads).out.startswith(
        "GAP " + done.line("GAP on the test ads: ")
    )


def test_predictions_made_elsewhere_are_scored_and_stacked(ads: Path, out: Path) -> None:
    theirs = out / "oof" / "demo" / "tfidf_logreg"
    for name in ("oof", "test"):
        table = pd.read_parquet(theirs / f"{name}.parquet")
        table.drop(columns="fold", errors="ignore").to_csv(out / f"{name}.csv", index=False)
    files = ["--oof", out / "oof.csv", "--test", out / "test.csv"]
    done = call("add-oof", "theirs", "--data", ads, *files, "--out", out)
    value = card(out, "tfidf_logreg")["scores"]["gap"]
    assert f"theirs: OOF GAP {value:.4f}; `stack` will use it." in done.out
    assert "taken on trust" in re.sub(r"\s+", " ", done.out)
    stacked = call("stack", "--data", ads, "--out", out, "--set", "level2.model=single")
    assert stacked.row("theirs")[1] == f"{value:.4f}"


@pytest.mark.usefixtures("registries_restored")
def test_plug_in_of_a_profile_runs(ads: Path, tmp_path: Path) -> None:
    (tmp_path / "shares.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "own.toml").write_text(
        'plugins = ["shares.py"]\nmodels = ["shares_of_a_plugin"]\n'
        '[folds]\nn = 3\n[level2]\nmodel = "mean"\n',
        encoding="utf-8",
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    profile = tmp_path / "own.toml"
    done = call("run", "--data", ads, "--profile", profile, "--jobs", 2, cwd=elsewhere)
    oof = pd.read_parquet(elsewhere / "oof" / "demo" / "shares_of_a_plugin" / "oof.parquet")
    of_fold = oof.drop(columns="id").groupby("fold").nunique()
    assert (of_fold == 1).all(axis=None)  # the share of a tag is the same for all ads of a fold
    value = card(elsewhere, "shares_of_a_plugin")["scores"]["gap"]
    assert done.row("shares_of_a_plugin")[1] == f"{value:.4f}"


@pytest.mark.usefixtures("registries_restored")
def test_plug_in_of_the_command_line_lies_relative_to_the_current_folder(
    ads: Path, tmp_path: Path
) -> None:
    (tmp_path / "here.py").write_text(PLUGIN.replace("of_a_plugin", "here"), encoding="utf-8")
    settings = ["--set", 'plugins=["here.py"]', "--set", 'models=["shares_here"]']
    done = call("run", "--data", ads, *QUICK, *settings, cwd=tmp_path)
    assert done.row("shares_here")


def test_gap_of_the_stored_predictions_is_the_printed_one(
    finished: tuple[Path, Called], ads: Path
) -> None:
    out, done = finished
    dataset = load_dataset(ads)
    oof = pd.read_parquet(out / "oof" / "demo" / "stack-mean" / "oof.parquet").set_index("id")
    values = oof.loc[dataset.train_ids, dataset.tag_names].to_numpy()
    assert done.row("stack-mean")[1] == f"{gap(dataset.labels, values):.4f}"
