"""Digest of a module's code, so that a changed model is run again and a reworded comment is not."""

import ast
import importlib.util
from functools import cache
from pathlib import Path

from competition.utils.files import digest

# What a model is made of; errors, file handling and the like do not change its predictions.
FOLLOWED = (
    "competition.features",
    "competition.level1",
    "competition.level2",
    "competition.text",
)
NOT_FOLLOWED = frozenset({"competition.level1.registry", "competition.level2.registry"})


def source_digest(module: str) -> str:
    """Digest the code of a module and of all it imports from the model packages.

    Comments, formatting, docstrings, imports for type checkers and search spaces do not count.
    """
    seen: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen[name], imports = _parsed(_source(name))
        waiting += [
            imported
            for imported in imports
            if imported.startswith(FOLLOWED) and imported not in NOT_FOLLOWED
        ]
    return digest(*[part for name in sorted(seen) for part in (name, seen[name])])


@cache
def _parsed(source: str) -> tuple[str, frozenset[str]]:
    """Code of a module without its words, and the modules that it imports."""
    tree = ast.parse(source)
    _drop_docstrings(tree)
    _drop_what_no_fit_runs(tree)
    return ast.dump(tree), frozenset(_imports(tree))


def _source(module: str) -> str:
    path = _file(module)
    if path is None:
        raise ModuleNotFoundError(f"no source file of {module}")
    return path.read_text(encoding="utf-8")


def _file(module: str) -> Path | None:
    """File of a module, found without importing the packages around it."""
    top, *inner = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or spec.origin is None:
        return None
    if not inner:
        return Path(spec.origin)
    place = Path(spec.origin).parent.joinpath(*inner)
    files = (place.parent / f"{place.name}.py", place / "__init__.py")
    return next((path for path in files if path.is_file()), None)


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
                and not (
                    isinstance(statement, ast.If)
                    and isinstance(statement.test, ast.Name)
                    and statement.test.id == "TYPE_CHECKING"
                )
            ]


def _imports(tree: ast.Module) -> set[str]:
    """Names of the modules that a module imports anywhere in its code."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names.add(node.module)
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if node.module.startswith(FOLLOWED) and _file(inner) is not None:
                    names.add(inner)
    return names
