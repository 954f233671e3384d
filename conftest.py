"""Examples in docstrings register plug-ins; each leaves the registries as it found them."""

from collections.abc import Iterator

import pytest
from _pytest.doctest import DoctestItem


@pytest.fixture(autouse=True)
def _registries_restored(request: pytest.FixtureRequest) -> Iterator[None]:
    if not isinstance(request.node, DoctestItem):
        yield
        return
    from competition.features import registry as extractors
    from competition.level1 import registry as models
    from competition.level2 import registry as meta_learners

    registries = [module._registry for module in (extractors, models, meta_learners)]
    for registry in registries:
        registry.find()  # all plug-ins are imported, once: what they register must stay
    before = [dict(registry._entries) for registry in registries]
    yield
    for registry, entries in zip(registries, before, strict=True):
        registry._entries = entries
