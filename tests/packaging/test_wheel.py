"""The wheel, installed into an empty environment, does what the project's folder does."""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.conftest import write_table

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


def call(*command: object, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "COLUMNS": "120"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of a copy of the project: building leaves folders behind."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "project"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "competition", copy / "competition", ignore=ignore)
    build = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder)
    call(*build, cwd=copy)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of an environment that holds the wheel and what models of texts need."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    install = ("-m", "pip", "install", "-q", "-c", ROOT / "requirements.txt")
    call(programs / "python", *install, f"{wheel}[demo]", cwd=folder)
    return programs / "competition"


def test_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    there = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "competition").rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }
    with zipfile.ZipFile(wheel) as file:
        packed = {name for name in file.namelist() if ".dist-info/" not in name}
    assert packed == there


def test_installed_command_makes_demo_ads_and_runs_on_them(command: Path, tmp_path: Path) -> None:
    call(command, "demo", "ads", "--ads", 40, "--jobs", 1, cwd=tmp_path)
    assert len(list((tmp_path / "ads").rglob("*.mp4"))) == 48
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shown = call(command, "run", "--data", "../ads", "--set", "folds.n=3", cwd=elsewhere)
    assert "competition[networks]" in shown  # the environment lacks PyTorch, and the run says so
    assert (elsewhere / "oof" / "demo" / "tfidf_logreg" / "card.json").is_file()
    (card,) = (elsewhere / "submissions").glob("demo-selection-*.card.json")
    submission = card.with_name(card.name.removesuffix(".card.json") + ".json")
    assert call(command, "score", submission, "--data", "../ads", cwd=elsewhere).startswith("GAP ")


def test_installed_command_runs_on_a_folder_of_ones_own(command: Path, tmp_path: Path) -> None:
    write_table(tmp_path / "films")
    arguments = ("run", "--data", "films", "--profile", "text", "--set", "level2.model=logit_mean")
    call(command, *arguments, cwd=tmp_path)
    assert list((tmp_path / "submissions").glob("films-logit_mean-*.csv"))
