"""The whole run on demo ads: resumable, repeatable, honest about what it reads and runs."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.config.profile import Profile, load_profile
from competition.demo.make import make_demo
from competition.pipeline.record import RECORD
from competition.pipeline.run import RunResult, run
from competition.submission.score import score_submission
from competition.utils.errors import FoldsError
from tests.recorded import Recorded

ROOT = Path(__file__).resolve().parents[2]
MODELS = ["tfidf_logreg", "tfidf_linearsvc"]
OVERRIDES = [f"models={json.dumps(MODELS)}", "folds.n=3", "level2.model=dnn", "level2.seeds=1"]


@pytest.fixture(scope="session")
def ads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ads") / "demo"
    make_demo(folder, 60, seed=1, films=False)
    return folder


def profile(*overrides: str) -> Profile:
    return load_profile("text", [*OVERRIDES, *overrides])


@pytest.fixture(scope="session")
def finished(ads: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunResult]:
    """A finished run; tests that change its folder work on a copy."""
    out = tmp_path_factory.mktemp("out")
    return out, run(ads, profile(), out, n_jobs=1)


@pytest.fixture
def out(finished: tuple[Path, RunResult], tmp_path: Path) -> Path:
    return shutil.copytree(finished[0], tmp_path / "out")


def test_leaves_what_the_design_draws(finished: tuple[Path, RunResult]) -> None:
    out, result = finished
    assert {path.name for path in (out / "oof" / "demo").iterdir()} == {
        ".locks",
        "folds.csv",
        "run.json",
        *MODELS,
        "stack-dnn",
    }
    for model in [*MODELS, "stack-dnn"]:
        assert {path.name for path in (out / "oof" / "demo" / model).iterdir()} == {
            *(["blends"] if model == "stack-dnn" else []),
            "fold_0.parquet",
            "fold_1.parquet",
            "fold_2.parquet",
            "oof.parquet",
            "test.parquet",
            "card.json",
        }
    assert result.n_trained == 6
    gap = result.stack.scores.gap
    names = {path.name for path in (out / "submissions").iterdir()}
    written = {f"demo-dnn-{gap:.4f}.json", f"demo-dnn-{gap:.4f}.card.json"}
    assert names == {*written, "ledger.csv", ".locks"}


def test_oof_holds_every_training_ad_once_in_its_fold(finished: tuple[Path, RunResult]) -> None:
    out, result = finished
    folds = pd.read_csv(out / "oof" / "demo" / "folds.csv").set_index("id")["fold"]
    for model in MODELS:
        oof = pd.read_parquet(out / "oof" / "demo" / model / "oof.parquet").set_index("id")
        assert sorted(oof.index) == sorted(result.dataset.train_ids)
        assert (oof["fold"] == folds[oof.index]).all()


def test_submission_scores_as_the_run_said(finished: tuple[Path, RunResult]) -> None:
    _, result = finished
    assert result.submitted is not None
    assert result.submitted.scores is not None
    again = score_submission(result.submitted.path, result.dataset, None)
    assert again.gap == result.submitted.scores.gap


def test_unchanged_run_trains_nothing_and_rewrites_no_prediction(ads: Path, out: Path) -> None:
    before = {
        path: path.stat().st_mtime_ns
        for path in (out / "oof").rglob("*.*")
        if path.is_file() and path.name != RECORD
    }
    assert run(ads, profile(), out, n_jobs=1).n_trained == 0
    assert {
        path: path.stat().st_mtime_ns
        for path in (out / "oof").rglob("*.*")
        if path.is_file() and path.name != RECORD
    } == before


def test_run_from_scratch_gives_the_same_submission_bytes(
    ads: Path, finished: tuple[Path, RunResult], tmp_path: Path
) -> None:
    again = run(ads, profile(), tmp_path, n_jobs=2).submitted
    first = finished[1].submitted
    assert again is not None
    assert first is not None
    assert again.path.name == first.path.name
    assert again.path.read_bytes() == first.path.read_bytes()


def test_changed_parameter_reruns_that_model_and_the_stack_alone(ads: Path, out: Path) -> None:
    remarks = Recorded()
    result = run(ads, profile("level1.tfidf_logreg.C=0.5"), out, n_jobs=1, progress=remarks)
    assert result.n_trained == 3
    assert remarks.remarks[1:] == [
        "tfidf_logreg: made from other parameters, so it is run again",
        "stack-dnn: made from other level-1 models, so it is run again",
    ]


def test_another_meta_learner_stacks_what_is_stored(ads: Path, out: Path) -> None:
    mean = load_profile("text", [*OVERRIDES[:2], "level2.model=mean"])
    result = run(ads, mean, out, n_jobs=1)
    assert result.n_trained == 0
    read = [result.store.read(name)[0] for name in [*MODELS, "stack-mean"]]
    np.testing.assert_allclose(read[2], (read[0] + read[1]) / 2, atol=1e-6)


def test_other_number_of_folds_is_not_ignored_in_silence(ads: Path, out: Path) -> None:
    remarks = Recorded()
    run(ads, profile("folds.n=4"), out, n_jobs=1, progress=remarks)
    assert any("says 4 folds; the 3 of" in said for said in remarks.remarks)


def test_other_folds_rerun_everything(ads: Path, out: Path) -> None:
    path = out / "oof" / "demo" / "folds.csv"
    folds = pd.read_csv(path)
    folds["fold"] = (folds["fold"] + 1) % 3
    folds.to_csv(path, index=False)
    remarks = Recorded()
    assert run(ads, profile(), out, n_jobs=1, progress=remarks).n_trained == 6
    assert "tfidf_logreg: made from other folds, so it is run again" in remarks.remarks


def test_folds_of_other_ads_stop_the_run(ads: Path, out: Path) -> None:
    path = out / "oof" / "demo" / "folds.csv"
    path.write_text("id,fold\nx,0\ny,1\n", encoding="utf-8")
    with pytest.raises(FoldsError, match="was made for other ads"):
        run(ads, profile(), out)


@pytest.mark.parametrize("file", ["oof.parquet", "test.parquet", "card.json"])
def test_model_with_a_damaged_file_is_made_again_from_its_folds(
    ads: Path, out: Path, file: str
) -> None:
    path = out / "oof" / "demo" / "tfidf_logreg" / file
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    remarks = Recorded()
    assert run(ads, profile(), out, n_jobs=1, progress=remarks).n_trained == 0
    assert any(said.endswith("so it is made again") for said in remarks.remarks)
    if file != "card.json":
        assert path.read_bytes() == whole


def test_damaged_fold_alone_is_run_again(ads: Path, out: Path) -> None:
    path = out / "oof" / "demo" / "tfidf_logreg" / "fold_1.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    path.with_name("card.json").unlink()
    before = path.with_name("oof.parquet").read_bytes()
    assert run(ads, profile(), out, n_jobs=1).n_trained == 1
    assert path.with_name("oof.parquet").read_bytes() == before


def start(ads: Path, out: Path) -> subprocess.Popen[str]:
    """Start a run of its own and wait for its first fold."""
    command = [sys.executable, "-m", "competition", "run", "--data", str(ads)]
    command += ["--profile", "text", "--out", str(out), "--jobs", "1"]
    for override in OVERRIDES:
        command += ["--set", override]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell that runs these tests in the background has it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while not list(out.glob("oof/demo/*/fold_*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.005)
    return process


def test_after_a_kill_only_the_unfinished_folds_are_run(
    ads: Path, finished: tuple[Path, RunResult], tmp_path: Path
) -> None:
    process = start(ads, tmp_path)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    done = len(list(tmp_path.glob("oof/demo/tfidf_*/fold_*.parquet")))
    assert 1 <= done < 6
    result = run(ads, profile(), tmp_path, n_jobs=1)
    assert result.n_trained == 6 - done
    first = finished[1].submitted
    assert first is not None
    assert result.submitted is not None
    assert result.submitted.path.read_bytes() == first.path.read_bytes()


def test_interrupt_is_one_message_and_status_130(ads: Path, tmp_path: Path) -> None:
    process = start(ads, tmp_path)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert said.strip() == "Stopped. The same command goes on where this one was."


def test_dataset_without_test_ads_gives_scores_but_no_submission(
    table: Path, tmp_path: Path
) -> None:
    toml = table / "competition.toml"
    text = toml.read_text(encoding="utf-8").replace('test = "test.csv"\n', "")
    toml.write_text(text, encoding="utf-8")
    result = run(table, load_profile("text", OVERRIDES), tmp_path / "out", n_jobs=1)
    assert result.submitted is None
    assert 0 < result.stack.scores.gap <= 1
