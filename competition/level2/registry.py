"""The meta-learners by name; each is one file in this package.

>>> from competition.level2.registry import find_meta_learners
>>> find_meta_learners("d*")
['dnn']
"""

from collections.abc import Callable
from typing import TypeVar

from competition.level2.base import MetaLearner
from competition.registry import Entry, Registry

M = TypeVar("M", bound=type[MetaLearner])

_registry: Registry[Entry] = Registry("competition.level2", "meta-learner")
find_meta_learners = _registry.find
get_meta_learner = _registry.get


def meta_learner(name: str) -> Callable[[M], M]:
    """Register the decorated class as the meta-learner `name`."""

    def register(make: M) -> M:
        _registry.add(Entry(name, make))
        return make

    return register
