"""Digests of a model's code."""

import sys
from pathlib import Path

import pytest

from competition.utils.source_digest import source_digest


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
    ],
)
def test_search_space_does_not_count(module: Path, other: str) -> None:
    assert digest_of(module, SPACE) == digest_of(module, other)


def test_code_counts(module: Path) -> None:
    assert digest_of(module, CODE) != digest_of(module, CODE.replace("+ 1", "+ 2"))


def test_code_of_imported_model_parts_counts(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_text = "def f():\n    from competition.level1.components.text import TextVectorizer\n"
    without = digest_of(module, "def f():\n    pass\n")
    import competition.utils.source_digest as source

    read = source._source
    before = digest_of(module, with_text)
    monkeypatch.setattr(
        source,
        "_source",
        lambda name: (
            read(name) + ("\nX = 1\n" if name == "competition.level1.components.text" else "")
        ),
    )
    assert before != digest_of(module, with_text)
    assert without == digest_of(module, "def f():\n    pass\n")
