"""The command line as a whole: help, errors, `models` and `score`."""

import subprocess
import sys
from pathlib import Path

import pytest

from competition.features.registry import find_extractors
from competition.level1.registry import find_models
from competition.level2.registry import find_meta_learners
from tests.cli.calling import call, called

ROOT = Path(__file__).resolve().parents[2]


def started(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Start ``python -m competition`` as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "competition", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "COLUMNS": "120", "PATH": "/usr/bin:/bin"},
    )


def test_help_lists_the_commands_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['competition', '--help']\n"
        "from competition.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('imported:', sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    help_text, _, modules = done.stdout.partition("imported:")
    for command in ("run", "stack", "add-oof", "tune", "ablate", "check", "folds", "extract"):
        assert f" {command} " in help_text
    imported = [name for name in ("numpy", "pandas", "sklearn", "torch") if f"'{name}'" in modules]
    assert imported == []


def test_module_and_main_are_one_command(tmp_path: Path) -> None:
    done = started("check", "no such folder", cwd=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (2, "")
    assert done.stderr.startswith("Error: There is no folder no such folder.")
    assert called("check", "no such folder", cwd=tmp_path).err == done.stderr


ERRORS = {
    "no such folder": (["run", "--data", "/no/such/folder"], "There is no folder /no/such/folder"),
    "no such profile": (["run", "--profile", "demmo"], "Did you mean 'demo'?"),
    "no such plug-in": (["run", "--set", 'plugins=["x.py"]'], "There is no plug-in"),
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
    done = called(*arguments, cwd=tmp_path)
    assert done.status == 2
    assert message in done.err
    assert "Traceback" not in done.err
    assert not any(tmp_path.iterdir())


def test_models_lists_all_that_is_registered() -> None:
    done = call("models")
    for name in [*find_extractors(), *find_models(), *find_meta_learners()]:
        assert done.row(name)
    assert done.row("ocr")[1] == "image, video: gives text"


def test_models_that_match_are_listed_alone() -> None:
    done = call("models", "tfidf_*")
    assert done.row("tfidf_logreg")[1] == "text"
    assert "lightgbm" not in done.out


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    (tmp_path / "truth.csv").write_text("id,tags\na,x|y\nb,y\n", encoding="utf-8")
    return tmp_path / "truth.csv"


def test_score_prints_the_pooled_gap_to_four_decimals(truth: Path) -> None:
    file = truth.with_name("sub.csv")
    file.write_text("id,x,y\na,0.9,0.8\nb,0.7,0.6\n", encoding="utf-8")
    done = call("score", file, "--truth", truth)
    assert done.out.splitlines()[0] == "GAP 0.9167"  # (1/1 + 2/2 + 3/4) / 3


def test_score_refuses_what_the_official_scorer_refuses(truth: Path) -> None:
    file = truth.with_name("sub.csv")
    file.write_text("id,x,y\na,0.9,0.8\n", encoding="utf-8")
    done = called("score", file, "--truth", truth)
    assert done.status == 2
    assert "1 missing (b)" in done.err
