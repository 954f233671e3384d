"""Digest of a module's code, so that a changed model is run again and a reworded comment is not."""

import ast
import importlib.util
import sys
from functools import cache
from pathlib import Path

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
        "competition.utils.processes",
        "competition.utils.progress",
        "competition.utils.source_digest",
        # Where tasks run, and how many at a time.
        "competition.execution",
        # A registry finds a class by its name; the module of the class is digested.
        "competition.utils.registry",
        "competition.features.base",
        "competition.features.registry",
        "competition.level1.registry",
        "competition.level2.registry",
        # What is read and planned is digested itself: parameters, ids, labels, cells, folds.
        "competition.utils.settings",
        "competition.config",
        "competition.datasets",
        "competition.folds",
        "competition.pipeline.extract",
        "competition.pipeline.plan",
        # The store joins and scores what folds predict: a card digests it apart, as `scoring`.
        "competition.oof.store",
        "competition.oof.cards",
    }
)


def source_digest(*modules: str) -> str:
    """Digest the code of modules and of all that they import, directly or not.

    Imports are followed wherever they stand in the code, within this package and within the
    top-level package (or module) of each given module, which may be a plug-in's. The modules of
    `NOT_FOLLOWED` are left out unless they are given. Comments, formatting, docstrings, imports
    for type checkers and search spaces do not count.

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
    tops = {PACKAGE, *(module.partition(".")[0] for module in modules)}
    found: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name], imports = _parsed(name, _source(name))
        waiting += [
            imported
            for imported in imports
            if imported.partition(".")[0] in tops and not _left_out(imported)
        ]
    return found


def _left_out(module: str) -> bool:
    return module in NOT_FOLLOWED or any(
        package in NOT_FOLLOWED for package in _packages(module) if package != PACKAGE
    )


def _packages(module: str) -> list[str]:
    """Packages around a module, outermost first."""
    parts = module.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


@cache
def _parsed(module: str, source: str) -> tuple[str, frozenset[str]]:
    """Digest of a module's code without its words, and the modules that importing it runs."""
    tree = ast.parse(source)
    _drop_docstrings(tree)
    _drop_what_no_fit_runs(tree)
    names = {*_packages(module)}
    for name in _imports(tree, module):
        names |= {name, *_packages(name)}
    top = module.partition(".")[0]
    ours = {
        name
        for name in names
        if name.partition(".")[0] in (PACKAGE, top) and _file(name) is not None
    }
    return digest(ast.dump(tree)), frozenset(ours)


def _source(module: str) -> str:
    path = _file(module)
    if path is None:
        raise ModelError(
            f"The code of the module {module} lies in no .py file, so that nobody could tell when "
            "it changes. Write the model into a file of its own and import it from there."
        )
    return path.read_text(encoding="utf-8")


def _file(module: str) -> Path | None:
    """File of a module, found without importing it or the packages around it."""
    loaded = getattr(sys.modules.get(module), "__file__", None)
    if loaded is not None:
        return Path(loaded) if loaded.endswith(".py") else None
    top, *inner = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # a module without a spec, as the __main__ of a notebook
        return None
    if spec is None:
        return None
    if not inner:
        return Path(spec.origin) if spec.origin is not None and spec.has_location else None
    for folder in spec.submodule_search_locations or ():
        place = Path(folder).joinpath(*inner)
        for path in (place.parent / f"{place.name}.py", place / "__init__.py"):
            if path.is_file():
                return path
    return None


def _drop_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:]


def _drop_what_no_fit_runs(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef):
            node.body = [
                statement
                for statement in node.body
                if not (isinstance(statement, ast.FunctionDef) and statement.name == "search_space")
                and not (isinstance(statement, ast.If) and _is_for_type_checkers(statement.test))
            ]


def _is_for_type_checkers(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def _imports(tree: ast.Module, module: str) -> set[str]:
    """Names of what `module` imports anywhere in its code; not all of them are modules."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(node, module)
            names |= {source, *(f"{source}.{alias.name}" for alias in node.names)}
    return names


def _absolute(node: ast.ImportFrom, module: str) -> str:
    """Name of the module that `from ... import` names, which may be relative to `module`."""
    if not node.level:
        return node.module or ""
    path = _file(module)
    is_package = path is not None and path.name == "__init__.py"
    parts = module.split(".")
    base = parts[: len(parts) + is_package - node.level]
    return ".".join([*base, *([node.module] if node.module else [])])
