"""Predictions do not depend on how many tasks run at once, nor on how many are pending."""

import shutil
from pathlib import Path

import pytest

from tests.cli.calling import call
from tests.faults.runs import predictions

SETTINGS = [
    *("--profile", "clips"),
    *("--set", "level1.frames.epochs=2", "--set", "level1.sound.epochs=2"),
    *("--set", "folds.n=3", "--set", "level2.model=logreg"),
]


@pytest.fixture(scope="module")
def one_by_one(demo_films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("jobs") / "one"
    call("run", "--data", demo_films, "--out", out, *SETTINGS, "--jobs", 1)
    return out


def test_networks_have_the_same_bytes_in_two_processes(
    demo_films: Path, one_by_one: Path, tmp_path: Path
) -> None:
    call("run", "--data", demo_films, "--out", tmp_path, *SETTINGS, "--jobs", 2)
    assert predictions(tmp_path) == predictions(one_by_one)


def test_network_that_alone_is_pending_has_the_same_bytes(
    demo_films: Path, one_by_one: Path, tmp_path: Path
) -> None:
    expected, out = predictions(one_by_one), tmp_path / "out"
    shutil.copytree(one_by_one, out)
    shutil.rmtree(next(out.glob("oof/*/frames")))
    call("run", "--data", demo_films, "--out", out, *SETTINGS, "--jobs", 2)
    assert predictions(out) == expected
