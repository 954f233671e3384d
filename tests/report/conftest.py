"""A real browser, and the page of a finished run."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calling import call
from tests.report.made_ads import write_hostile_ads

CHROMIUM = next((path for path in map(shutil.which, ("chromium", "chromium-browser")) if path), "")
QUICK = [
    *("--set", 'models=["tfidf_logreg", "tfidf_nblogreg"]'),
    *("--set", "folds.n=3"),
    *("--set", 'level2.model=["mean", "single"]'),
    *("--jobs", "1"),
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium, without a window."""
    if not CHROMIUM:
        pytest.skip("needs Chromium: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with sync_api.sync_playwright() as playwright:
        # As root, Chromium has no sandbox.
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """Folder of ads, folder of a finished run, and what the run printed."""
    folder = tmp_path_factory.mktemp("hostile")
    ads = write_hostile_ads(folder / "ads")
    printed = call("run", "--data", ads, "--out", folder / "out", *QUICK).out
    return ads, folder / "out", printed


@pytest.fixture(scope="session")
def page_file(hostile: tuple[Path, Path, str]) -> Path:
    return hostile[1] / "oof" / "hostile" / "report" / "index.html"
