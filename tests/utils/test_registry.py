"""Plug-ins: a user's own files, in this process and in others, and installed packages."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from competition.execution.local import run_tasks
from competition.utils import registry
from competition.utils.errors import ModelError, ProfileError
from competition.utils.registry import Entry, Registry, load_plugins
from competition.utils.source_digest import source_digest

ROOT = Path(__file__).parents[2]
OWN = """\
VALUE = {value}

class Own:
    def value(self):
        return VALUE
"""


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """What a test loads is gone after it."""
    yield
    for name in registry._loaded:
        del sys.modules[name]
    registry._loaded.clear()


def write_own(folder: Path, value: int = 1, name: str = "own_thing.py") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(OWN.format(value=value), encoding="utf-8")
    return path


def value_of(thing: object) -> tuple[int, int]:
    return thing.value(), os.getpid()  # type: ignore[attr-defined]


def test_own_file_becomes_a_module_with_a_source_file(tmp_path: Path) -> None:
    path = write_own(tmp_path)
    load_plugins([path])
    module = sys.modules["competition_plugins.own_thing"]
    assert module.VALUE == 1
    assert module.__file__ == str(path)


def test_changed_file_is_run_again_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    path = write_own(tmp_path)
    load_plugins([path])
    first = sys.modules["competition_plugins.own_thing"]
    load_plugins([path])
    assert sys.modules["competition_plugins.own_thing"] is first
    write_own(tmp_path, 2)
    load_plugins([path])
    assert sys.modules["competition_plugins.own_thing"].VALUE == 2


def test_code_of_an_own_file_is_digested(tmp_path: Path) -> None:
    found = []
    for value in (1, 2, 1):
        load_plugins([write_own(tmp_path, value)])
        found.append(source_digest("competition_plugins.own_thing"))
    assert found[0] == found[2] != found[1]


def test_objects_of_own_classes_reach_other_processes(tmp_path: Path) -> None:
    for value in (1, 2):  # the second time, the processes are there and know the old file
        load_plugins([write_own(tmp_path, value)])
        own = sys.modules["competition_plugins.own_thing"].Own()
        found = list(run_tasks(value_of, [(own,)] * 4, n_jobs=2))
        assert [of_task for of_task, _ in found] == [value] * 4
        assert os.getpid() not in {process for _, process in found}


@pytest.mark.parametrize(
    ("name", "text", "error", "message"),
    [
        ("my-model.py", "", ProfileError, "a name like my_model.py"),
        ("my_model.txt", "", ProfileError, "a name like my_model.py"),
        ("my_model.py", None, ProfileError, "There is no plug-in .*my_model.py"),
        ("my_model.py", "import no_such_module", ModelError, "my_model.py cannot be .*Mend it"),
        ("my_model.py", "def broken(:", ModelError, "my_model.py cannot be .*SyntaxError"),
    ],
)
def test_file_that_cannot_be_loaded_is_named(
    name: str, text: str | None, error: type[Exception], message: str, tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(error, match=message):
        load_plugins([tmp_path / name])
    assert f"competition_plugins.{Path(name).stem}" not in sys.modules


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    load_plugins([write_own(tmp_path / "one")])
    with pytest.raises(ProfileError, match="Two plug-ins have one name"):
        load_plugins([write_own(tmp_path / "other")])


def test_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    made: Registry[Entry] = Registry("competition.utils", "thing", "no.such.group")
    made.add(Entry("words", Path))
    with pytest.raises(ModelError, match="Two files register the thing 'words'"):
        made.add(Entry("words", Registry))


MODEL = """\
import numpy as np
from competition.level1.base import Level1Model
from competition.level1.registry import level1_model

@level1_model("outside_prior", kinds=("text",))
class OutsidePrior(Level1Model):
    def _fit(self, X, Y):
        self.share_ = Y.mean(axis=0)
    def _predict_proba(self, X):
        return np.tile(self.share_, (len(X), 1))
"""
PROFILE = """\
models = ["outside_prior"]
[folds]
n = 2
[level2]
model = "mean"
"""


def write_package(folder: Path, code: str) -> None:
    """Write what `pip install` leaves of a package with one model."""
    about = folder / "ads_extra-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: ads-extra\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[competition.level1]\nprior = ads_extra_model\n")
    (folder / "ads_extra_model.py").write_text(code)


def command_line(site: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "competition", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(site)])},
        cwd=site,
        capture_output=True,
        text=True,
    )


def test_model_of_an_installed_package_runs(tmp_path: Path, table: Path) -> None:
    write_package(tmp_path / "site", MODEL)
    profile = tmp_path / "own.toml"
    profile.write_text(PROFILE, encoding="utf-8")
    out = tmp_path / "out"
    given = ["--data", table, "--profile", profile, "--out", out, "--jobs", 2]
    done = command_line(tmp_path / "site", "run", *given)
    assert done.returncode == 0, done.stderr
    assert (out / "oof" / "films" / "outside_prior" / "fold_1.parquet").is_file()
    assert "outside_prior" in command_line(tmp_path / "site", "models", "outside_*").stdout


def test_broken_package_is_named_in_one_sentence(tmp_path: Path) -> None:
    write_package(tmp_path / "site", "import no_such_module\n")
    done = command_line(tmp_path / "site", "models")
    assert done.returncode == 2
    assert "The installed package ads-extra offers the level-1 model 'prior', but" in done.stderr
    assert "Traceback" not in done.stderr
