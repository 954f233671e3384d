"""`run_all.sh`: where it runs, what it passes on, where results go.

The set-up is replaced by one that does nothing, the virtual environment by this Python.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import QUICK

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with run_all.sh whose Python prints what it is called with."""
    folder = tmp_path / "a project"
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    shutil.copy(ROOT / "run_all.sh", folder)
    (folder / "set_up.sh").write_text("pwd > set_up_ran_in\n", encoding="utf-8")
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$PWD" "$PYTHONPATH" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    return folder


def called(project: Path, caller: Path, *arguments: object) -> list[str]:
    """Call run_all.sh from a folder; return the lines that it prints."""
    caller.mkdir(exist_ok=True)
    done = subprocess.run(
        [project / "run_all.sh", *map(str, arguments)],
        cwd=caller,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_sets_up_in_the_project_and_runs_in_the_callers_folder(
    project: Path, tmp_path: Path
) -> None:
    caller = tmp_path / "elsewhere"
    here, path, *arguments = called(project, caller, "--data", "my ads", "--jobs", 3)
    assert (project / "set_up_ran_in").read_text(encoding="utf-8").strip() == str(project)
    assert (here, path) == (str(caller), str(project))
    assert arguments == [
        *("-P", "-m", "competition", "run", "--out", str(project)),
        *("--data", "my ads", "--jobs", "3"),
    ]


def test_results_go_to_the_project_unless_out_is_given(
    project: Path, tmp_path: Path, ads: Path
) -> None:
    python = project / ".venv" / "bin" / "python"
    python.unlink()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    (project / "competition").symlink_to(ROOT / "competition")
    caller = tmp_path / "elsewhere"
    caller.mkdir()
    shutil.copytree(ads, caller / "ads")
    called(project, caller, "--data", "ads", *QUICK)
    assert (project / "oof" / "demo" / "stack-mean" / "card.json").is_file()
    assert list((project / "submissions").glob("demo-mean-*.json"))
    assert {path.name for path in caller.iterdir()} == {"ads"}
    called(project, caller, "--data", "ads", "--out", "mine", *QUICK)
    assert (caller / "mine" / "oof" / "demo" / "stack-mean" / "card.json").is_file()
