"""The command line."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def call(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "competition", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "COLUMNS": "120", "PATH": "/usr/bin:/bin"},
    )


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['competition', '--help']\n"
        "from competition.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'pandas', 'torch', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_models_lists_what_is_registered() -> None:
    done = call("models", "tfidf_*")
    assert done.returncode == 0
    assert "tfidf_logreg" in done.stdout
    assert "lightgbm" not in done.stdout


ERRORS = {
    "no such folder": (["run", "--data", "/no/such/folder"], "There is no folder /no/such/folder"),
    "no such profile": (["run", "--profile", "demmo"], "Did you mean 'demo'?"),
    "too few ads": (["demo", "x", "--ads", "3"], "at least 10"),
    "bad model name": (["new-model", "My-Model"], "small letters"),
    "taken model name": (["new-model", "tfidf_logreg"], "exists already"),
    "unknown setting": (["stack", "--data", "x", "--set", "seeed=1"], "Did you mean 'seed'?"),
    "no predictions": (["add-oof", "m", "--data", "x", "--oof", "y.csv"], "There is no folder x"),
    "unknown command": (["rnu"], "rnu"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_user_error_is_one_message_and_status_2(case: str, tmp_path: Path) -> None:
    arguments, message = ERRORS[case]
    done = call(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_demo_without_films_writes_the_texts_alone(tmp_path: Path) -> None:
    done = call("demo", tmp_path / "ads", "--ads", 10, "--no-films")
    assert done.returncode == 0
    assert "10 training ads and 2 test ads (seed 0)" in done.stdout.replace("\n", " ")
    assert (tmp_path / "ads" / "label_id.txt").is_file()
    assert not (tmp_path / "ads" / "videos").exists()


def test_check_lists_faults_and_exits_2_for_errors(table: Path) -> None:
    assert call("check", table).returncode == 0
    path = table / "train.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("ad3,", "ad2,"), encoding="utf-8")
    done = call("check", table)
    assert done.returncode == 2
    assert "train.csv:5 (ad ad2): id ad2 stands on line 4 already" in done.stdout


def test_check_of_the_real_sample_finds_no_error(real_data: Path) -> None:
    done = call("check", real_data / "taac2021" / "dataset")
    assert done.returncode == 0
    assert "4,948 of 5,000 listed ads have no file of any kind" in done.stdout
    assert "video_asr is empty" in done.stdout


def test_score_prints_the_pooled_gap_to_four_decimals(tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text("id,tags\na,x|y\nb,y\n", encoding="utf-8")
    (tmp_path / "sub.csv").write_text("id,x,y\na,0.9,0.8\nb,0.7,0.6\n", encoding="utf-8")
    done = call("score", tmp_path / "sub.csv", "--truth", tmp_path / "truth.csv")
    assert done.stdout.splitlines()[0] == "GAP 0.9167"  # (1/1 + 2/2 + 3/4) / 3


def test_score_rejects_what_the_official_scorer_rejects(tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text("id,tags\na,x|y\nb,y\n", encoding="utf-8")
    (tmp_path / "sub.csv").write_text("id,x,y\na,0.9,0.8\n", encoding="utf-8")
    done = call("score", tmp_path / "sub.csv", "--truth", tmp_path / "truth.csv")
    assert done.returncode == 2
    assert "1 missing (b)" in done.stderr
