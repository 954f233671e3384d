"""The level-1 models by name.

A model is one file in ``models/``, a file of a user's own or a module of an installed package. To
decorate its class, or a function that makes a scikit-learn classifier, is all it takes to be
listed, run and cached:

>>> from competition.level1.registry import find_models
>>> find_models("tfidf_l*")
['tfidf_linearsvc', 'tfidf_logreg']
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

from competition.datasets.base import InputKind
from competition.level1.base import Level1Model
from competition.level1.components.classifier import Classifier
from competition.utils.errors import ModelError
from competition.utils.registry import Entry, Registry
from competition.utils.state import package_of, read_state

M = TypeVar("M", bound=Callable[..., Any])


@dataclass(frozen=True)
class ModelEntry(Entry):
    """A registered model.

    Attributes
    ----------
    make : callable
        Called with parameters, it returns an unfitted `Level1Model`.
    kinds : tuple of str
        The kinds of input it can read. Without a setting it gets every such input of a dataset.
    """

    kinds: tuple[InputKind, ...]


_registry: Registry[ModelEntry] = Registry(
    "competition.level1.models", "level-1 model", "competition.level1"
)
find_models = _registry.find
get_model = _registry.get


def load_model(name: str, folder: Path) -> Level1Model:
    """Read a fitted model that `Level1Model.save` has written, by its name in the registry.

    Raises
    ------
    ModelError
        If there is no such model.
    StateError
        If a file is absent or damaged, or holds something else.
    """
    packages = [package_of(get_model(name).make)]
    return read_state(folder, Level1Model, packages)  # type: ignore[type-abstract]


def level1_model(name: str, *, kinds: tuple[InputKind, ...]) -> Callable[[M], M]:
    """Register the decorated class or function as the level-1 model `name`.

    A `Level1Model` is used as it is. A class or function that makes any other classifier with
    `fit` and `predict_proba` gets the checks, and the defaults of the hooks, from `Classifier`.

    Examples
    --------
    >>> from competition import level1_model
    >>> @level1_model("neighbours", kinds=("metadata",))
    ... def neighbours(n_neighbors=30):
    ...     from sklearn.neighbors import KNeighborsClassifier
    ...     return KNeighborsClassifier(n_neighbors)
    >>> find_models("neigh*"), get_model("neighbours").parameters
    (['neighbours'], {'n_neighbors': 30})
    """
    unknown = set(kinds) - set(get_args(InputKind))
    if unknown:
        raise ModelError(
            f"The level-1 model {name!r} reads unknown kinds of input: {sorted(unknown)}. Known "
            f"are {', '.join(get_args(InputKind))}."
        )

    def register(make: M) -> M:
        if inspect.isclass(make) and issubclass(make, Level1Model):
            space, libraries = make.search_space, make.libraries
            entry = ModelEntry(name, make, kinds, search_space=space, libraries=libraries)
        else:
            entry = ModelEntry(name, _with_hooks(make), kinds)
        _registry.add(entry)
        return make

    return register


def _with_hooks(make: Callable[..., Any]) -> Callable[..., Level1Model]:
    @functools.wraps(make, updated=())
    def made(*args: Any, **params: Any) -> Level1Model:
        model = make(*args, **params)
        return model if isinstance(model, Level1Model) else Classifier(model)

    return made
