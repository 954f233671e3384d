"""Digests of a model's code."""

import importlib.util
import sys
from pathlib import Path

import pytest

from competition.utils.errors import ModelError
from competition.utils.source_digest import followed_modules, source_digest


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "some_model_of_a_test.py"


def digest_of(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    sys.modules.pop(path.stem, None)
    return source_digest(path.stem)


CODE = 'def f(x):\n    """Say."""\n    return x + 1\n'


@pytest.mark.parametrize(
    "reworded",
    [
        "# why\n" + CODE,
        CODE.replace("Say.", "Say more."),
        CODE.replace("x + 1", "(x +\n            1)"),
        CODE.replace('    """Say."""\n', ""),
    ],
)
def test_words_do_not_count(module: Path, reworded: str) -> None:
    assert digest_of(module, CODE) == digest_of(module, reworded)


SPACE = "class M:\n    def search_space(trial):\n        return {}\n\n    def fit(self): ...\n"


@pytest.mark.parametrize(
    "other",
    [
        SPACE.replace("{}", "{'C': trial.suggest_float('C', 1, 2)}"),
        SPACE.replace("    def search_space(trial):\n        return {}\n\n", ""),
        "if TYPE_CHECKING:\n    from optuna import Trial\n\n" + SPACE,
        "if typing.TYPE_CHECKING:\n    from optuna import Trial\n\n" + SPACE,
    ],
)
def test_search_space_does_not_count(module: Path, other: str) -> None:
    assert digest_of(module, SPACE) == digest_of(module, other)


def test_code_counts(module: Path) -> None:
    assert digest_of(module, CODE) != digest_of(module, CODE.replace("+ 1", "+ 2"))


# A plug-in of somebody else's: a package whose modules import one another in every way

PLUGIN = {
    "__init__": "from ._settings import DEPTH",
    "_settings": "DEPTH = 1",
    "model": "from . import layers\nfrom .heads.linear import f\n",
    "layers": "import {top}.tools\n",
    "tools": "def f():\n    from {top} import late\n    return late.X\n",
    "late": "X = 1\n",
    "heads/__init__": "Y = 1\n",
    "heads/linear": "from .. import tools\nfrom competition.evaluation.metrics import gap as f\n",
    "unused": "Z = 1\n",
}
TOP = "plugin_of_a_test"


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / TOP
    for name, code in PLUGIN.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code.format(top=TOP), encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", PLUGIN)
def test_module_of_a_plugin_counts_where_it_is_imported(plugin: Path, name: str) -> None:
    before = source_digest(f"{TOP}.model")
    path = plugin / f"{name}.py"
    path.write_text(path.read_text(encoding="utf-8") + "\nADDED = 1\n", encoding="utf-8")
    assert (source_digest(f"{TOP}.model") == before) == (name == "unused")


def test_plugin_is_read_not_imported(plugin: Path) -> None:
    source_digest(f"{TOP}.model")
    assert TOP not in sys.modules


def test_plugin_brings_the_modules_of_this_package_that_it_imports(plugin: Path) -> None:
    found = followed_modules(f"{TOP}.model")
    assert "competition.evaluation.metrics" in found
    assert "competition.utils.errors" not in found
    assert f"{TOP}.unused" not in found


@pytest.mark.parametrize(
    "code",
    [
        "from competition import gap",
        "import competition\n\ndef f():\n    return competition.gap",
        "import competition as c\nBEST = c.gap",
        "from competition.evaluation.metrics import gap",
        "from competition.evaluation import metrics",
        "import competition.evaluation.metrics",
    ],
)
def test_public_names_are_followed_to_their_modules(module: Path, code: str) -> None:
    digest_of(module, code)
    assert "competition.evaluation.metrics" in followed_modules(module.stem)


def test_other_packages_are_not_followed(module: Path) -> None:
    digest_of(module, "import numpy\nfrom sklearn.base import clone\n")
    assert set(followed_modules(module.stem)) == {module.stem}


def test_module_in_a_file_of_any_name_is_read_where_it_was_loaded_from(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(CODE, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("loaded_by_a_test.model", path)
    assert spec is not None
    sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    try:
        before = source_digest(spec.name)
        path.write_text(CODE.replace("+ 1", "+ 2"), encoding="utf-8")
        assert source_digest(spec.name) != before
    finally:
        del sys.modules[spec.name]


@pytest.mark.parametrize("name", ["no_such_module_of_a_test", "sys", "competition.no_such_module"])
def test_module_without_a_file_of_code_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match=rf"module {name} lies in no \.py file.*into a file"):
        source_digest(name)
