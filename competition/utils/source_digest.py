"""Digest of a module's code, so that a changed model is run again and a reworded comment is not."""

import ast
import importlib.util
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from competition import _HOME
from competition.utils.errors import ModelError
from competition.utils.files import digest

PACKAGE = "competition"
# Modules that change no prediction, or whose effect a fingerprint covers in another way.
NOT_FOLLOWED = frozenset(
    {
        PACKAGE,  # its __init__ holds the version and the public names
        # Messages, files, progress and processes show in no number.
        "competition.utils.errors",
        "competition.utils.files",
        "competition.utils.locks",
        "competition.utils.machine_faults",
        "competition.utils.processes",
        "competition.utils.progress",
        "competition.utils.quiet",
        "competition.utils.seals",
        "competition.utils.source_digest",
        # What is kept of a fitted model shows in no prediction that is stored.
        "competition.utils.state",
        "competition.oof.kept_models",
        "competition.pipeline.blends",
        # Where tasks run, and how many at a time.
        "competition.execution.devices",
        "competition.execution.engines",
        "competition.execution.lanes",
        "competition.execution.local",
        "competition.execution.needs",
        # A registry finds a class by its name; the module of the class is digested.
        "competition.utils.registry",
        "competition.features.base",
        "competition.features.registry",
        "competition.level1.registry",
        "competition.level2.registry",
        # What is read and planned is digested itself: parameters, ids, labels, cells, folds.
        "competition.utils.parameters",
        "competition.utils.settings",
        "competition.config",
        "competition.datasets",
        "competition.folds",
        "competition.folds_file",
        "competition.pipeline.context",
        "competition.pipeline.extract",
        "competition.pipeline.plan",
        "competition.pipeline.settings",
        # The store joins and scores what folds predict: a card digests it apart, as `scoring`.
        "competition.oof.store",
        "competition.oof.cards",
    }
)


def source_digest(*modules: str) -> str:
    """Digest the code of modules and of all that they import, directly or not.

    Imports are followed wherever they stand in the code, into this package and, from a plug-in,
    into its own top-level package. The modules of `NOT_FOLLOWED` are left out unless they are
    given. Comments, formatting, docstrings, imports for type checkers and search spaces do not
    count.

    Parameters
    ----------
    *modules : str
        Names of importable modules; they are read, not imported.

    Raises
    ------
    ModelError
        If the code of a module cannot be read.
    """
    found = followed_modules(*modules)
    return digest([[name, found[name]] for name in sorted(found)])


def followed_modules(*modules: str) -> dict[str, str]:
    """Digest of each module that `source_digest` covers, by name."""
    found: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name], imports = _parsed(name, _source(name))
            waiting += imports
    return found


@cache
def _parsed(module: str, source: bytes) -> tuple[str, tuple[str, ...]]:
    """Digest of a module's code without its words, and the modules to follow from it."""
    tree = ast.parse(source)
    _drop_what_no_fit_runs(tree)
    _drop_docstrings(tree)
    names = {*_packages(module)}  # to import a module runs the packages around it
    for name in _imports(tree, module):
        names |= {name, *_packages(name)}
    tops = (PACKAGE, module.partition(".")[0])
    followed = [
        name
        for name in sorted(names)
        if name.partition(".")[0] in tops and not _left_out(name) and _file(name) is not None
    ]
    return digest(ast.dump(tree)), tuple(followed)


def _left_out(module: str) -> bool:
    return module in NOT_FOLLOWED or any(
        package in NOT_FOLLOWED for package in _packages(module) if package != PACKAGE
    )


def _packages(module: str) -> list[str]:
    """Packages around a module, outermost first."""
    parts = module.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


def _source(module: str) -> bytes:
    path = _file(module)
    if path is None:
        raise ModelError(
            f"The code of the module {module} lies in no .py file, so that a change of it would go "
            "unnoticed. Write the model into a file of its own, and import it from there."
        )
    with open(path, "rb") as file:
        return file.read()


def _file(module: str) -> str | None:
    """Path of a module's code, found without importing it or the packages around it."""
    loaded = getattr(sys.modules.get(module), "__file__", None)
    if loaded is not None:
        return loaded if loaded.endswith(".py") else None
    top, *inner = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # a module without a spec, as the __main__ of a notebook
        return None
    if spec is None:
        return None
    if not inner:
        return spec.origin if spec.has_location else None
    for folder in spec.submodule_search_locations or ():
        place = Path(folder).joinpath(*inner)
        for path in (place.parent / f"{place.name}.py", place / "__init__.py"):
            if path.is_file():
                return str(path)
    return None


def _drop_what_no_fit_runs(scope: ast.Module | ast.ClassDef) -> None:
    kept = []
    for statement in scope.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "search_space":
            continue
        if isinstance(statement, ast.If) and _is_for_type_checkers(statement.test):
            continue
        if isinstance(statement, ast.ClassDef):
            _drop_what_no_fit_runs(statement)
        kept.append(statement)
    scope.body = kept


def _is_for_type_checkers(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def _statements(parent: ast.AST) -> Iterator[ast.AST]:
    """All statements below a node; expressions, ten times as many, hold no imports."""
    for field in ("body", "orelse", "finalbody", "handlers", "cases"):
        for child in getattr(parent, field, ()):
            yield child
            yield from _statements(child)


def _drop_docstrings(tree: ast.Module) -> None:
    for node in (tree, *_statements(tree)):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:]


def _imports(tree: ast.Module, module: str) -> set[str]:
    """Names of what `module` imports anywhere in its code; not all of them are modules."""
    names, whole = set(), set()
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
            whole |= {alias.asname or PACKAGE for alias in node.names if alias.name == PACKAGE}
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(node, module)
            names |= {source, *(f"{source}.{alias.name}" for alias in node.names)}
    if whole:  # it uses competition.gap, say
        names |= {
            f"{PACKAGE}.{node.attr}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", None) in whole
        }
    # The package imports its public names when they are used, unseen from here.
    return names | {
        f"{PACKAGE}.{home}" for name, home in _HOME.items() if f"{PACKAGE}.{name}" in names
    }


def _absolute(node: ast.ImportFrom, module: str) -> str:
    """Name of the module that `from ... import` names, which may be relative to `module`."""
    if not node.level:
        return node.module or ""
    is_package = Path(_file(module) or "").name == "__init__.py"
    parts = module.split(".")
    base = parts[: len(parts) + is_package - node.level]
    return ".".join([*base, *([node.module] if node.module else [])])
