"""What plug-ins of a test or of a docstring's example register is forgotten after it."""

from collections.abc import Iterator

import pytest
from _pytest.doctest import DoctestItem


def _restored() -> Iterator[None]:
    from competition.features import registry as extractors
    from competition.level1 import registry as models
    from competition.level2 import registry as meta_learners
    from competition.utils import registry as plugins

    known = [plugins._loaded]
    for module in (extractors, models, meta_learners):
        module._registry.find()  # all that the package itself registers is there before
        known.append(module._registry._entries)
    before = [dict(entries) for entries in known]
    yield
    for entries, old in zip(known, before, strict=True):
        entries.clear()
        entries.update(old)


@pytest.fixture
def registries_restored() -> Iterator[None]:
    """Forget the plug-ins that a test registers."""
    yield from _restored()


@pytest.fixture(scope="module")
def registries_restored_at_last() -> Iterator[None]:
    """Forget the plug-ins that the tests and fixtures of a module register."""
    yield from _restored()


@pytest.fixture(autouse=True)
def _examples_leave_no_plug_ins(request: pytest.FixtureRequest) -> None:
    if isinstance(request.node, DoctestItem):
        request.getfixturevalue("registries_restored")
