"""The model that `new-model` writes."""

import importlib.util
from pathlib import Path

import pytest

from competition.level1 import registry
from competition.level1.template import write_template
from competition.testing.level1 import Level1Contract
from competition.utils.errors import ModelError


class TestWrittenModel(Level1Contract):
    kinds = ("text",)

    @pytest.fixture(autouse=True)
    def _written(self, tmp_path: Path):
        path, _ = write_template("made_by_new_model", tmp_path)
        spec = importlib.util.spec_from_file_location("made_by_new_model", path)
        assert spec is not None
        assert spec.loader is not None
        self.module = importlib.util.module_from_spec(spec)
        import sys

        sys.modules["made_by_new_model"] = self.module  # where pickling looks for the class
        spec.loader.exec_module(self.module)
        yield
        del registry._registry._entries["made_by_new_model"], sys.modules["made_by_new_model"]

    def make(self):
        return self.module.MadeByNewModel()


def test_files_are_never_overwritten(tmp_path: Path) -> None:
    write_template("twice_made", tmp_path)
    with pytest.raises(ModelError, match="twice_made exists already"):
        write_template("twice_made", tmp_path)
