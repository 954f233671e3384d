"""Plug-ins by name: each is one file, registered by a decorator.

They come from three places: the files of a package here; installed packages, by an entry point; and
files of a user's own, which `load_plugins` imports.
"""

import fnmatch
import importlib
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from competition.utils.errors import CompetitionError, ModelError, ProfileError, nearest
from competition.utils.extras import lacking
from competition.utils.files import digest

OWN = "competition_plugins"  # the package of modules that lie in files of a user's own


@dataclass(frozen=True)
class Entry:
    """A registered class or function.

    Attributes
    ----------
    name : str
    make : callable
        Called with parameters, it returns an unfitted estimator.
    search_space : callable or None
        What tuning tries: from an Optuna trial to parameters; None where nothing is declared.
    libraries : tuple of str
        What must be installed: names to import.
    """

    name: str
    make: Callable[..., Any]
    search_space: Callable[..., dict[str, Any]] | None = field(default=None, kw_only=True)
    libraries: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    def parameters(self) -> dict[str, Any]:
        """Names and defaults of what can be set; `inspect.Parameter.empty` where it must be."""
        return {
            name: parameter.default
            for name, parameter in inspect.signature(self.make).parameters.items()
        }

    @property
    def required(self) -> list[str]:
        """Names of parameters that have no default."""
        return [
            name for name, default in self.parameters.items() if default is inspect.Parameter.empty
        ]

    @property
    def lacks(self) -> str:
        """Why it cannot run here: a library that is not installed; "" if it can."""
        return lacking(self.libraries)

    @property
    def summary(self) -> str:
        """First line of the docstring."""
        return (inspect.getdoc(self.make) or "").split("\n", 1)[0]


E = TypeVar("E", bound=Entry)


class Registry(Generic[E]):
    """What plug-ins have registered.

    Parameters
    ----------
    package : str
        All of its modules are imported before the first look-up.
    noun : str
        What messages call an entry.
    group : str
        Entry points of this group are imported then, too.
    """

    def __init__(self, package: str, noun: str, group: str) -> None:
        self._package = package
        self._noun = noun
        self._group = group
        self._entries: dict[str, E] = {}
        self._complete = False

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
        if self._complete:
            return
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__):
            name = f"{self._package}.{module.name}"
            try:
                importlib.import_module(name)
            except CompetitionError:
                raise
            except Exception as bad:
                raise ModelError(
                    f"{name} cannot be imported: {type(bad).__name__}: {bad}. Mend or remove that "
                    "file."
                ) from bad
        for point in entry_points(group=self._group):
            try:
                point.load()
            except CompetitionError:
                raise
            except Exception as bad:
                owner = point.dist.name if point.dist else "?"
                raise ModelError(
                    f"The installed package {owner} offers the {self._noun} {point.name!r}, but "
                    f"{point.value} cannot be loaded: {type(bad).__name__}: {bad}. Mend or "
                    f"uninstall {owner}."
                ) from bad
        self._complete = True


_loaded: dict[str, tuple[Path, str]] = {}  # path and digest of each module of a user's own


def load_plugins(paths: Sequence[Path]) -> None:
    """Import files of a user's own, which register models, meta-learners or extractors.

    ``my_model.py`` becomes the module ``competition_plugins.my_model``. A file that is loaded
    already is left alone; one that has changed since is run again.

    Parameters
    ----------
    paths : sequence of Path

    Raises
    ------
    ProfileError
        If there is no such file, its name cannot be a module's, or two files share it.
    ModelError
        If a file cannot be imported, or registers a name that is taken.
    """
    for path in paths:
        _load_plugin(path.resolve())


def _load_plugin(path: Path) -> None:
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise ProfileError(f"The plug-in {path} needs a name like my_model.py. Rename it.")
    if not path.is_file():
        raise ProfileError(f"There is no plug-in {path}. Correct its path.")
    name = f"{OWN}.{path.stem}"
    source = path.read_bytes()
    other, loaded = _loaded.get(name, (path, ""))
    if other != path:
        raise ProfileError(f"Two plug-ins have one name: {other} and {path}. Rename one of them.")
    if loaded == digest(source):
        return
    if OWN not in sys.modules:
        sys.modules[OWN] = importlib.util.module_from_spec(ModuleSpec(OWN, None, is_package=True))
    # Compiled here: bytecode kept beside the file could be that of an edit a moment ago.
    loader = SourceFileLoader(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        exec(loader.source_to_code(source, str(path)), vars(module))
    except BaseException as bad:
        del sys.modules[name]
        if not isinstance(bad, Exception) or isinstance(bad, CompetitionError):
            raise
        raise ModelError(
            f"The plug-in {path} cannot be imported: {type(bad).__name__}: {bad}. Mend it, or take "
            "it out of `plugins` in the profile."
        ) from bad
    _loaded[name] = path, digest(source)


class WithPlugins:
    """A function that finds the plug-ins of this process wherever it is called.

    Where it is unpickled, in another process or on another machine that sees the files, they are
    loaded first: the function and what is unpickled after it may name them.

    Parameters
    ----------
    function : callable
        Defined at the top level of a module.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *arguments: Any) -> Any:
        """Call the function."""
        return self.function(*arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return _after, (_LoadedHere(), self.function)


class _LoadedHere:
    """Unpickled, it loads what is loaded here."""

    def __reduce__(self) -> tuple[Any, ...]:
        return load_plugins, ([path for path, _ in _loaded.values()],)


def _after(_: None, function: Callable[..., Any]) -> WithPlugins:
    return WithPlugins(function)
