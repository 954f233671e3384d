"""The level-1 models by name.

A model is one file in this package. Decorating its class (or a function that makes an estimator)
is all it takes to be listed, run, cached and tested:

>>> from competition.level1.registry import find_models
>>> find_models("tfidf_l*")
['tfidf_linearsvc', 'tfidf_logreg']
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from competition.datasets.base import InputKind
from competition.utils.errors import ModelError
from competition.utils.registry import Entry, Registry

M = TypeVar("M", bound=Callable[..., Any])


@dataclass(frozen=True)
class ModelEntry(Entry):
    """A registered model.

    Attributes
    ----------
    kinds : tuple of str
        The kinds of input it can read. Without a setting it gets every such input of a dataset.
    """

    kinds: tuple[InputKind, ...]


_registry: Registry[ModelEntry] = Registry(
    "competition.level1.models", "level-1 model", "competition.level1"
)
find_models = _registry.find
get_model = _registry.get


def level1_model(name: str, *, kinds: tuple[InputKind, ...]) -> Callable[[M], M]:
    """Register the decorated class or function as the level-1 model `name`."""
    unknown = set(kinds) - set(get_args(InputKind))
    if unknown:
        raise ModelError(
            f"The level-1 model {name!r} reads unknown kinds of input: {sorted(unknown)}. Known "
            f"are {', '.join(get_args(InputKind))}."
        )

    def register(make: M) -> M:
        _registry.add(ModelEntry(name, make, kinds))
        return make

    return register
