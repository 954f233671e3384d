"""Demo ads that several tests read."""

from pathlib import Path

import pytest

from competition.demo.draw import draw_plan
from competition.demo.make import make_demo
from competition.demo.plan import AdPlan
from tests.conftest import DEMO_FILMS, DEMO_SEED
from tests.demo.made_demo import N_ADS, SEED


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of demo ads without films."""
    root = tmp_path_factory.mktemp("demo") / "ads"
    make_demo(root, N_ADS, SEED, films=False)
    return root


@pytest.fixture(scope="session")
def plans() -> list[AdPlan]:
    """Plans of its training ads."""
    return [draw_plan(SEED, "train", index) for index in range(N_ADS)]


@pytest.fixture(scope="session")
def film_plans() -> list[AdPlan]:
    """Plans of the training ads in the folder `demo_films`."""
    return [draw_plan(DEMO_SEED, "train", index) for index in range(DEMO_FILMS)]
