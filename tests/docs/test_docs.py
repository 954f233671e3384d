"""What the README and the documentation say is what the package does."""

import re
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pytest
import typer

import competition
from competition.cli.app import app
from competition.config.profile import load_profile
from competition.datasets import load_dataset
from tests.conftest import write_csv
from tests.docs.pages import PAGES, ROOT, block_with, blocks, commands

COMMANDS = [(page.name, arguments) for page in PAGES for arguments in commands(page)]


def call(*arguments: object, cwd: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("page", "arguments"), COMMANDS, ids=[f"{page}: {' '.join(args)}" for page, args in COMMANDS]
)
def test_command_of_a_page_is_one_that_the_command_line_takes(
    page: str, arguments: list[str]
) -> None:
    command: click.Command = typer.main.get_command(app)
    while hasattr(command, "commands"):
        if not arguments and command.invoke_without_command:
            return
        assert arguments, f"{page}: no command is named"
        name, *arguments = arguments
        assert name in command.commands, f"{page}: there is no command {name}"
        command = command.commands[name]
    # A page may name a command alone; with arguments, it must be a whole call.
    command.make_context(command.name, arguments, resilient_parsing=not arguments)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_option_named_in_the_text_of_a_page_exists(page: Path) -> None:
    command = typer.main.get_command(app)
    known = {"--help"}
    groups = [one for one in command.commands.values() if hasattr(one, "commands")]
    for one in (
        *command.commands.values(),
        *(sub for of in groups for sub in of.commands.values()),
    ):
        known |= {word for option in one.params for word in option.opts + option.secondary_opts}
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    named = {word for code in re.findall(r"`(--[^`\s]+)", text) for word in [code.split("=")[0]]}
    assert named <= known


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 120


def test_readme_model_and_score_example_run() -> None:
    code = "\n".join(
        [*blocks(ROOT / "README.md", "python"), *blocks(ROOT / "docs/scores.md", "python")]
    )
    code += (
        "\nX = pd.DataFrame({'size': [1.0, 2.0, 3.0, 4.0]})"
        "\nY = np.array([[1, 0], [0, 1], [0, 1], [0, 1]], np.uint8)"
        "\nassert Prior().fit(X, Y).predict_proba(X)[0].tolist() == [0.25, 0.75]"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_plug_ins_of_the_page_run_and_are_stacked(table: Path, tmp_path: Path) -> None:
    page = "docs/plug-ins.md"
    for name, words in {
        "metadata_knn": "class MetadataKnn",
        "weighted_mean": "class WeightedMean",
        "text_length": "class TextLength",
    }.items():
        (tmp_path / f"{name}.py").write_text(block_with(page, "python", words), encoding="utf-8")
    (tmp_path / "own.toml").write_text(
        """\
models = ["metadata_knn"]
plugins = ["metadata_knn.py", "weighted_mean.py", "text_length.py"]
[folds]
n = 3
[features.length]
extractor = "text_length"
input = "story"
[level1.of_length]
model = "probe"
inputs = ["length"]
[level2]
model = "weighted_mean"
""",
        encoding="utf-8",
    )
    arguments = ["run", "--data", table, "--profile", tmp_path / "own.toml", "--out", tmp_path]
    call("competition", *arguments, "--jobs", 1, cwd=tmp_path)
    read = {
        name: pd.read_parquet(tmp_path / "oof" / "films" / name / "oof.parquet").set_index("id")
        for name in ("metadata_knn", "of_length", "stack-weighted_mean")
    }
    values = {name: frame.drop(columns="fold") for name, frame in read.items()}
    assert {frame.shape for frame in values.values()} == {(40, 5)}
    knn, length, stack = (frame.loc[values["of_length"].index] for frame in values.values())
    least, most = np.minimum(knn, length), np.maximum(knn, length)
    assert ((stack >= least - 1e-6) & (stack <= most + 1e-6)).all(axis=None)


def test_model_of_the_page_keeps_the_contract(tmp_path: Path) -> None:
    page = "docs/plug-ins.md"
    model, test = (
        block_with(page, "python", words)
        for words in ("class MetadataKnn", "class TestMetadataKnn")
    )
    (tmp_path / "test_own.py").write_text(model + test, encoding="utf-8")
    call("pytest", "-q", "-p", "no:cacheprovider", tmp_path / "test_own.py", cwd=tmp_path)


def test_profile_of_the_page_is_valid(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        block_with("docs/profiles.md", "toml", "plugins"), encoding="utf-8"
    )
    (tmp_path / "my_model.py").write_text("", encoding="utf-8")
    profile = load_profile(str(tmp_path / "own.toml"))
    assert profile.features["visual"].params == {"checkpoint": "google/vit-large-patch16-384"}
    assert profile.level1["vit_visual"].inputs == ("visual",)


@pytest.mark.parametrize("page", ["README.md", "docs/data.md"])
def test_table_layout_of_the_page_is_read(page: str, tmp_path: Path) -> None:
    toml = block_with(page, "toml", 'name = "movie_posters"')
    (tmp_path / "competition.toml").write_text(toml, encoding="utf-8")
    header = ["id", "source", "poster", "title", "tagline", "overview"]
    header += ["language", "release_year", "runtime", "budget", "genres"]
    rows = [
        [f"{i}", f"s{i % 9}", "", "a", "b", "c", "en", "1999", "90", "7", "War|Love"]
        for i in range(20)
    ]
    write_csv(tmp_path / "train.csv", header, rows[:15])
    write_csv(tmp_path / "test.csv", header[:-1], [row[:-1] for row in rows[15:]])
    dataset = load_dataset(tmp_path)
    assert dataset.labels.shape == (15, 2)
    assert dataset.inputs["synopsis"].kind == "text"


def test_public_names_are_documented() -> None:
    missing = [name for name in competition.__all__ if not getattr(competition, name).__doc__]
    assert not missing


def test_links_of_root_pages_lead_somewhere() -> None:
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"):
        for target in re.findall(r"\]\(([^)#]+)", (ROOT / name).read_text("utf-8")):
            assert target.startswith("https://") or (ROOT / target).exists(), f"{name}: {target}"
