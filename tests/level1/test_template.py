"""`new-model` writes a model that runs and a test that passes, in a checkout and elsewhere."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import competition
from competition.level1.template import write_template
from competition.utils.errors import ModelError

PROJECT = Path(competition.__file__).parents[1]
PROFILE = """\
models = ["my_idea"]

[folds]
n = 2

[level2]
model = "mean"
"""


def copied(folder: Path) -> Path:
    """Copy the package to where `pip install` would put it."""
    shutil.copytree(PROJECT / "competition", folder / "competition")
    return folder


def called(root: Path, here: Path, *command: object) -> str:
    """Call a command with the package below `root`, from a folder; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        env={**os.environ, "PYTHONPATH": str(root)},
        cwd=here,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def predicted(root: Path, here: Path, table: Path) -> pd.DataFrame:
    """Run the profile that lies in `here`; return the OOF predictions of the new model."""
    given = ["--data", table, "--profile", here / "own.toml", "--out", here / "out", "--jobs", 2]
    called(root, here, "competition", "run", *given)
    return pd.read_parquet(here / "out" / "oof" / "films" / "my_idea" / "oof.parquet")


def test_in_a_checkout(tmp_path: Path, table: Path) -> None:
    root = copied(tmp_path / "checkout")
    shutil.copy(PROJECT / "pyproject.toml", root)
    (root / "tests" / "level1" / "models").mkdir(parents=True)
    for folder in ("tests", "tests/level1", "tests/level1/models"):
        (root / folder / "__init__.py").touch()
    printed = called(root, tmp_path, "competition", "new-model", "my_idea")
    model = root / "competition" / "level1" / "models" / "my_idea.py"
    test = root / "tests" / "level1" / "models" / "test_my_idea.py"
    assert f"wrote {model}" in printed
    assert f"wrote {test}" in printed
    assert " passed" in called(root, root, "pytest", test)
    (tmp_path / "own.toml").write_text(PROFILE, encoding="utf-8")
    assert len(predicted(root, tmp_path, table)) == 40


def test_where_the_package_is_installed(tmp_path: Path, table: Path) -> None:
    root, here = copied(tmp_path / "site"), tmp_path / "here"
    here.mkdir()
    printed = called(root, here, "competition", "new-model", "my_idea")
    assert 'plugins = ["my_idea.py"]' in printed
    assert sorted(path.name for path in here.iterdir()) == ["my_idea.py", "test_my_idea.py"]
    assert " passed" in called(root, here, "pytest", "test_my_idea.py")
    own = f'plugins = ["my_idea.py"]\n{PROFILE}'
    (here / "own.toml").write_text(own, encoding="utf-8")
    assert len(predicted(root, here, table)) == 40


def test_files_are_never_overwritten(tmp_path: Path) -> None:
    package = tmp_path / "competition"  # without a pyproject.toml beside it
    new = write_template("twice_made", tmp_path, package)
    assert new.model.is_file()
    with pytest.raises(ModelError, match="twice_made exists already"):
        write_template("twice_made", tmp_path, package)


@pytest.mark.parametrize("name", ["MyModel", "my-model", "1st", "class"])
def test_name_that_cannot_be_a_modules_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot name a model"):
        write_template(name, tmp_path, tmp_path / "competition")


def test_name_of_a_known_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="tfidf_logreg exists already"):
        write_template("tfidf_logreg", tmp_path, tmp_path / "competition")
