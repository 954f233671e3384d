"""What the source loads, and what in it could run code that a file holds."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Modules whose readers build whatever objects a file asks for.
CODE_IN_FILES = ("pickle", "cloudpickle", "dill", "shelve", "marshal", "yaml", "torch.package")
RUN_TEXT = ("eval", "exec", "compile", "__import__")
FORBIDDEN = (
    *("joblib.load", "pandas.read_pickle", "os.system", "os.popen", "torch.hub.load"),
    *("torch.jit.load", "importlib.import_module", "runpy.run_path", "runpy.run_module"),
)
# What a call must say, so that it cannot run code or open what is not meant.
MUST_SAY = {
    "torch.load": ("weights_only", True),
    "numpy.load": ("allow_pickle", False),
    "numpy.lib.format.read_array": ("allow_pickle", False),
}
LOADS = re.compile(
    r"(load|loads|open|read|reader|\w+_reader|from_file|(load|read|open|input|safe)_\w+)$"
)
# Loaders whose names do not say it.
OTHER_LOADERS = (
    *("csv.DictReader", "pyarrow.parquet.ParquetFile", "zipfile.ZipFile", "subprocess.run"),
    *("optuna.storages.RDBStorage", "rapidocr.RapidOCR", "importlib.metadata.entry_points"),
    *("competition.features.encoders.load_pretrained", "exec", "importlib.import_module"),
    *("ast.literal_eval", "lightgbm.Booster", "xgboost.Booster"),
)


@dataclass(frozen=True)
class Danger:
    """A place where a file's content, or a user's text, could run as code."""

    what: str
    line: int


def dotted(node: ast.AST, names: dict[str, str]) -> str:
    """Full name of what an expression refers to; "" where it is no name."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value, names)
        return f"{inner}.{node.attr}" if inner else ""
    return ""


def imported(tree: ast.AST) -> dict[str, str]:
    """Full name of each name that a module imports, wherever in it."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                names[one.asname or one.name.split(".")[0]] = (
                    one.name if one.asname else one.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for one in node.names:
                names[one.asname or one.name] = f"{node.module}.{one.name}"
    return names


def dangers(source: str) -> list[Danger]:
    """Find what could run code in a module."""
    tree = ast.parse(source)
    names = imported(tree)
    given = {  # what is handed to `load_pretrained`, which alone calls it
        id(call.args[0])
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and dotted(call.func, names).rpartition(".")[2] == "load_pretrained"
        and call.args
    }
    found = []
    for node in ast.walk(tree):
        for what in _dangers_of(node, names, given):
            found.append(Danger(what, getattr(node, "lineno", 0)))
    found += [Danger("trust_remote_code", line) for line in _trusting(tree)]
    return found


def _trusting(tree: ast.AST) -> Iterator[int]:
    """Lines where the text "trust_remote_code" stands otherwise than as a key of False."""
    refusing = {
        id(key)
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if _is(value, False)
    }
    for node in ast.walk(tree):
        if _is(node, "trust_remote_code") and id(node) not in refusing:
            yield node.lineno  # type: ignore[attr-defined]


def _dangers_of(node: ast.AST, names: dict[str, str], given: set[int]) -> Iterator[str]:
    if isinstance(node, ast.Attribute | ast.Name):
        name = dotted(node, names)
        for module in CODE_IN_FILES:
            if name.startswith(f"{module}.") and name != "pickle.UnpicklingError":
                yield name
        if name in FORBIDDEN:
            yield name
    if isinstance(node, ast.Attribute) and node.attr == "from_pretrained" and id(node) not in given:
        yield "from_pretrained"
    if isinstance(node, ast.Call):
        yield from _dangers_of_call(node, names)


def _dangers_of_call(call: ast.Call, names: dict[str, str]) -> Iterator[str]:
    name = dotted(call.func, names).removeprefix("builtins.")
    said = {word.arg: word.value for word in call.keywords}
    if name in RUN_TEXT:
        yield name
    if name in MUST_SAY:
        key, value = MUST_SAY[name]
        if not _is(said.get(key), value):
            yield f"{name} without {key}={value}"
    if "trust_remote_code" in said and not _is(said["trust_remote_code"], False):
        yield "trust_remote_code"
    if name.startswith("subprocess.") and "shell" in said and not _is(said["shell"], False):
        yield "shell=True"
    if name == "PIL.Image.open" and "formats" not in said:
        yield "Image.open without formats"
    if name == "av.open":
        mode = call.args[1] if len(call.args) > 1 else said.get("mode")
        options = ast.unparse(said["options"]) if "options" in said else ""
        if not _is(mode, "w") and "'protocol_whitelist': 'none'" not in options:
            yield "av.open without a protocol whitelist"


def _is(node: ast.AST | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and (node.value is value or node.value == value != 0)


def loaders(source: str) -> set[str]:
    """Full names of the loaders that a module calls or hands on; this package's own left out."""
    tree = ast.parse(source)
    names = imported(tree)
    found = set()
    for node in ast.walk(tree):
        name = ""
        if isinstance(node, ast.Call):
            name = dotted(node.func, names)
        known = name.partition(".")[0] in {one.partition(".")[0] for one in names.values()}
        if name in OTHER_LOADERS or (
            known
            and "." in name
            and not name.startswith("competition.")
            and LOADS.match(name.rpartition(".")[2])
        ):
            found.add(name)
    return found


def modules(package: Path) -> Iterator[tuple[str, str]]:
    """Path below the package's parent, and source, of each module."""
    for path in sorted(package.rglob("*.py")):
        yield path.relative_to(package.parent).as_posix(), path.read_text(encoding="utf-8")
