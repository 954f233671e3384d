"""Plug-ins by name: each is one file of a package, registered by a decorator."""

import fnmatch
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from competition.utils.errors import ModelError, nearest


@dataclass(frozen=True)
class Entry:
    """A registered class or function.

    Attributes
    ----------
    name : str
    make : callable
        Called with parameters, it returns an unfitted estimator.
    """

    name: str
    make: Callable[..., Any]

    @property
    def parameters(self) -> dict[str, Any]:
        """Names and defaults of what can be set."""
        return {
            name: parameter.default
            for name, parameter in inspect.signature(self.make).parameters.items()
        }

    @property
    def search_space(self) -> Callable[..., dict[str, Any]] | None:
        """What tuning tries: from an Optuna trial to parameters; None where not declared."""
        return getattr(self.make, "search_space", None)

    @property
    def summary(self) -> str:
        """First line of the docstring."""
        return (inspect.getdoc(self.make) or "").split("\n", 1)[0]


E = TypeVar("E", bound=Entry)


class Registry(Generic[E]):
    """What the files of a package have registered.

    Parameters
    ----------
    package : str
        All of its modules are imported before the first look-up.
    noun : str
        What messages call an entry.
    """

    def __init__(self, package: str, noun: str) -> None:
        self._package = package
        self._noun = noun
        self._entries: dict[str, E] = {}

    def add(self, entry: E) -> None:
        """Add an entry.

        Raises
        ------
        ModelError
            If another file has registered the name.
        """
        known = self._entries.get(entry.name)
        if known is not None and known.make.__module__ != entry.make.__module__:
            raise ModelError(
                f"Two files register the {self._noun} {entry.name!r}: {known.make.__module__} and "
                f"{entry.make.__module__}. Rename one of them."
            )
        self._entries[entry.name] = entry

    def find(self, pattern: str = "*") -> list[str]:
        """Names that match a shell pattern, sorted."""
        self._import_all()
        return sorted(fnmatch.filter(self._entries, pattern))

    def get(self, name: str) -> E:
        """Return an entry.

        Raises
        ------
        ModelError
            If there is none of this name; the message names the nearest.
        """
        self._import_all()
        if name not in self._entries:
            raise ModelError(
                f"There is no {self._noun} {name!r}.{nearest(name, self._entries)} "
                "`python -m competition models` lists all."
            )
        return self._entries[name]

    def _import_all(self) -> None:
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__):
            name = f"{self._package}.{module.name}"
            try:
                importlib.import_module(name)
            except (ImportError, SyntaxError, NameError, TypeError, AttributeError) as bad:
                raise ModelError(
                    f"{name} cannot be imported: {type(bad).__name__}: {bad}. Mend or remove that "
                    "file."
                ) from bad
