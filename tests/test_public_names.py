"""``import competition``: what it offers, and that it costs nothing until it is used."""

import ast
import doctest
import subprocess
import sys
from pathlib import Path

import pytest

import competition

INIT = Path(competition.__file__)


def test_import_imports_nothing_else() -> None:
    code = "import sys, competition; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=INIT.parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = done.stdout.split()
    assert [name for name in imported if name.startswith("competition")] == ["competition"]
    assert not {"numpy", "pandas", "pydantic", "sklearn", "torch", "typer"} & set(imported)


@pytest.mark.parametrize("name", competition.__all__)
def test_public_name_is_documented_with_an_example(name: str) -> None:
    found = getattr(competition, name)
    examples = doctest.DocTestParser().get_examples(found.__doc__ or "")
    assert any(name in example.source for example in examples)


def test_what_type_checkers_see_is_what_is_imported() -> None:
    (block,) = [node for node in ast.parse(INIT.read_text()).body if isinstance(node, ast.If)]
    seen = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == {name: f"competition.{home}" for name, home in competition._HOME.items()}
    assert sorted(seen) == sorted(competition.__all__)


def test_all_names_are_offered_for_completion() -> None:
    assert set(competition.__all__) <= set(dir(competition))


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'competition' has no attribute 'rnu'"):
        _ = competition.rnu
