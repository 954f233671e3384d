"""Libraries that are not installed are named with the extra that brings them."""

import ast
import inspect
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from competition.features.registry import find_extractors, get_extractor
from competition.level1.registry import find_models, get_model
from competition.level2.registry import find_meta_learners, get_meta_learner
from competition.utils.extras import CUTTERS, EXTRAS
from competition.utils.registry import Entry
from tests.conftest import write_csv

ROOT = Path(__file__).resolve().parents[2]
PLUG_INS = [
    *map(get_model, find_models()),
    *map(get_meta_learner, find_meta_learners()),
    *map(get_extractor, find_extractors()),
]

TITLES = """\
name = "titles"
train = "train.csv"
id = "id"

[[tags]]
column = "tag"
dimension = "tag"

[inputs.words]
kind = "text"
columns = ["title"]
"""

# Runs the command line as if these libraries were not installed.
WITHOUT = """
import sys
from importlib.abc import MetaPathFinder
import importlib.util

hidden = set({hidden!r})
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in hidden else find_spec(name, *rest)

class Hide(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in hidden:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hide())
from competition.cli.app import main
sys.argv = ["competition", *{arguments!r}]
main()
"""


def call_without(hidden: list[str], *arguments: object) -> subprocess.CompletedProcess[str]:
    code = WITHOUT.format(hidden=hidden, arguments=[str(one) for one in arguments])
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )


def imported_by(entry: Entry) -> set[str]:
    """Optional libraries that the modules of a plug-in's class and its bases import."""
    found = set()
    for base in inspect.getmro(entry.make):
        if base.__module__.startswith("competition."):
            tree = ast.parse(Path(inspect.getfile(base)).read_text("utf-8"))
            hints = [
                inner
                for node in ast.walk(tree)
                if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
                for inner in ast.walk(node)
            ]
            for node in ast.walk(tree):
                if node in hints:
                    continue
                if isinstance(node, ast.Import):
                    found |= {name.name.split(".")[0] for name in node.names}
                elif isinstance(node, ast.ImportFrom):
                    found.add((node.module or "").split(".")[0])
    return found & set(EXTRAS)


@pytest.mark.parametrize("entry", PLUG_INS, ids=lambda entry: f"{entry.make.__module__}")
def test_plug_in_declares_the_libraries_that_it_imports(entry: Entry) -> None:
    assert imported_by(entry) <= set(entry.make.libraries)
    assert entry.lacks == ""


def test_every_extra_that_is_named_exists_and_brings_the_library() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    distributions = {
        "PIL": "pillow",
        "pylopdf_fonts_zh_cn": "pylopdf-fonts-zh-cn",
        "python_multipart": "python-multipart",
    }
    for library, extra in EXTRAS.items():
        wanted = "xgboost-cpu" if library == "xgboost" else distributions.get(library, library)
        assert wanted in {line.split(">")[0] for line in extras[extra]}


def test_run_leaves_out_what_lacks_a_library_and_says_so_once(table: Path, tmp_path: Path) -> None:
    done = call_without(
        ["torch", "xgboost"],
        *("run", "--data", table, "--profile", "text", "--out", tmp_path, "--jobs", 1),
        *("--set", "folds.n=3", "--set", 'models=["tfidf_logreg", "xgboost"]'),
    )
    assert done.returncode == 0, done.stderr
    shown = " ".join(done.stdout.split())
    for left_out, extra in {
        "model xgboost": "xgboost-cpu",
        "meta-learner dnn": "networks",
        "meta-learner pooled": "networks",
        "meta-learner xgboost": "xgboost-cpu",
    }.items():
        assert shown.count(f"The {left_out} is left out") == 1
        assert f"'competition[{extra}]'" in shown
    stored = {path.name for path in (tmp_path / "oof" / "films").iterdir() if path.is_dir()}
    assert stored == {".locks", "report", "tfidf_logreg", "stack-selection"}


@pytest.mark.parametrize(
    ("hidden", "extra", "arguments"),
    [
        ("xgboost", "xgboost-cpu", ["--set", 'models=["xgboost"]']),
        ("torch", "networks", ["--set", "level2.model=dnn"]),
    ],
)
def test_run_that_needs_a_missing_library_is_one_sentence(
    table: Path, tmp_path: Path, hidden: str, extra: str, arguments: list[str]
) -> None:
    run = ["run", "--data", table, "--profile", "text", "--out", tmp_path, "--jobs", 1]
    models = ["--set", "folds.n=3", "--set", 'models=["tfidf_logreg"]']
    done = call_without([hidden], *run, *models, *arguments)
    assert done.returncode == 2
    assert f"competition[{extra}]" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("hidden", CUTTERS)
def test_run_that_lacks_what_cuts_its_words_is_one_sentence(tmp_path: Path, hidden: str) -> None:
    rows = [[f"a{i}", ("新品上市 ok", "ลดราคา ok")[i % 2], "xy"[i % 2]] for i in range(20)]
    write_csv(tmp_path / "train.csv", ["id", "title", "tag"], rows)
    (tmp_path / "competition.toml").write_text(TITLES, encoding="utf-8")
    run = ["run", "--data", tmp_path, "--profile", "text", "--out", tmp_path, "--jobs", 1]
    done = call_without([hidden], *run, "--set", "folds.n=2", "--set", 'models=["tfidf_logreg"]')
    assert done.returncode == 2
    assert done.stderr == f"Error: {hidden} is not installed: pip install {hidden}.\n"


def test_command_that_imports_a_missing_library_is_one_sentence(tmp_path: Path) -> None:
    done = call_without(["PIL"], "demo", tmp_path / "ads", "--ads", 10)
    assert done.returncode == 2
    assert done.stderr == "Error: PIL is not installed: pip install 'competition[media]'.\n"
