"""A finished run by the command line; tests that change its folder work on a copy."""

import shutil
from pathlib import Path

import pytest

from tests.cli.calling import Called, call

MODELS = ("tfidf_logreg", "tfidf_nblogreg")
QUICK = [
    *("--set", 'models=["tfidf_logreg", "tfidf_nblogreg"]'),
    *("--set", "folds.n=3"),
    *("--set", "level2.model=mean"),
    *("--jobs", "1"),
]


@pytest.fixture(scope="session")
def ads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts of 60 training and 12 test ads, written by `demo`."""
    folder = tmp_path_factory.mktemp("ads") / "demo"
    call("demo", folder, "--ads", 60, "--seed", 1, "--no-films")
    return folder


@pytest.fixture(scope="session")
def finished(ads: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Called]:
    """The folder of a finished run, and what the run printed."""
    out = tmp_path_factory.mktemp("out")
    return out, call("run", "--data", ads, "--out", out, *QUICK)


@pytest.fixture
def out(finished: tuple[Path, Called], tmp_path: Path) -> Path:
    return shutil.copytree(finished[0], tmp_path / "out")
