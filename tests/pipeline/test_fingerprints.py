"""Fingerprints cover all code that changes numbers, and no other."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import grimp
import numpy as np
import pandas as pd
import pytest

import competition
from competition.datasets import load_dataset
from competition.datasets.base import AdDataset, SubmissionSpec
from competition.folds import Folds, make_folds
from competition.level1.registry import find_models, get_model
from competition.level2.registry import find_meta_learners, get_meta_learner
from competition.pipeline.fingerprints import (
    LEVEL1,
    LEVEL2,
    SCORED_BY,
    STACK_SCORED_BY,
    stack_fingerprint,
)
from competition.utils.source_digest import NOT_FOLLOWED, PACKAGE
from tests.conftest import write_table
from tests.pipeline import mutated_package

SOURCE = Path(competition.__file__).parent
STACKS = [*(f"stack-{name}" for name in mutated_package.ALONE), "stack-of-all"]


def copy_package(folder: Path) -> dict[str, str]:
    """Copy the package into a folder; return the environment in which the copy is imported."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(SOURCE, folder / "competition", ignore=ignored)
    return {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[str]]]:
    """For every module: whose fingerprints another is, after a change of a copy of it."""
    folder = tmp_path_factory.mktemp("copy")
    environment = copy_package(folder)
    ads = write_table(folder / "films")
    command = [sys.executable, mutated_package.__file__, str(ads)]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Who imports whom, as import-linter sees it."""
    return grimp.build_graph(PACKAGE, exclude_type_checking_imports=True)


def packages(module: str) -> set[str]:
    parts = module.split(".")
    return {".".join(parts[:n]) for n in range(2, len(parts))}


def reached(graph: grimp.ImportGraph, *roots: str) -> set[str]:
    """Modules that the roots import, directly or not, without those that are not followed."""
    found: set[str] = set()
    waiting = [*roots]
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        found.add(module)
        imported = graph.find_modules_directly_imported_by(module) | packages(module)
        imported |= {package for one in imported for package in packages(one)}
        waiting += [one for one in imported if not ({one, *packages(one)} & NOT_FOLLOWED)]
    return found


def module_of_learner(name: str) -> str:
    return get_meta_learner(name).make.__module__


def test_predictions_depend_on_the_modules_that_make_them_and_on_no_other(
    changed: dict[str, dict[str, list[str]]], graph: grimp.ImportGraph
) -> None:
    roots = {name: [LEVEL1, get_model(name).make.__module__] for name in find_models()}
    for name in mutated_package.ALONE:
        roots[f"stack-{name}"] = [*LEVEL2, module_of_learner(name)]
    roots["stack-of-all"] = [*LEVEL2, *map(module_of_learner, find_meta_learners())]
    for name, modules in roots.items():
        found = {module for module, whose in changed.items() if name in whose["predictions"]}
        assert found == reached(graph, *modules), name


def test_scores_depend_on_the_modules_that_score_and_on_no_other(
    changed: dict[str, dict[str, list[str]]], graph: grimp.ImportGraph
) -> None:
    roots = {name: [SCORED_BY] for name in find_models()}
    roots |= {name: [SCORED_BY, STACK_SCORED_BY] for name in STACKS}
    for name, modules in roots.items():
        found = {module for module, whose in changed.items() if name in whose["scores"]}
        assert found == reached(graph, *modules), name


def test_modules_that_are_not_followed_change_no_prediction(
    changed: dict[str, dict[str, list[str]]],
) -> None:
    assert set(changed) >= NOT_FOLLOWED
    for module, whose in changed.items():
        if ({module, *packages(module)} & NOT_FOLLOWED) and module != SCORED_BY:
            assert whose == {"predictions": [], "scores": []}, module


def test_metrics_and_bootstrap_change_what_chooses_by_them(
    changed: dict[str, dict[str, list[str]]],
) -> None:
    metrics = changed["competition.evaluation.metrics"]
    assert {"stack-single", "stack-of-all"} <= set(metrics["predictions"])
    assert set(metrics["scores"]) == {*find_models(), *STACKS}
    assert "stack-of-all" in changed["competition.evaluation.bootstrap"]["predictions"]


def test_the_way_of_fitting_changes_every_level1_model_and_no_stack(
    changed: dict[str, dict[str, list[str]]],
) -> None:
    whose = changed["competition.pipeline.crossfit"]
    assert whose == {"predictions": find_models(), "scores": []}


@pytest.mark.parametrize("name", ["lightgbm", "tfidf_logreg", "probe"])
def test_a_models_own_module_changes_that_model_alone(
    changed: dict[str, dict[str, list[str]]], name: str
) -> None:
    whose = changed[f"competition.level1.models.{name}"]
    assert whose == {"predictions": [name], "scores": []}


# What else than code changes a stack


@pytest.fixture
def dataset(shared_table: Path) -> AdDataset:
    return load_dataset(shared_table)


@pytest.fixture
def folds(dataset: AdDataset) -> Folds:
    return make_folds(dataset, 3, 0)


LEARNERS = {"mean": ("competition.level2.learners.mean", {})}


def components(dataset: AdDataset, folds: Folds) -> dict[str, str]:
    return stack_fingerprint({"m": "f"}, LEARNERS, ["year"], dataset, folds).made_from


def differing(dataset: AdDataset, other: AdDataset, folds: Folds) -> list[str]:
    before, after = components(dataset, folds), components(other, folds)
    return [name for name in before if before[name] != after[name]]


def test_a_missing_input_changes_a_stack(dataset: AdDataset, folds: Folds) -> None:
    ads = dataset.ads.copy()
    ads.loc[ads.index[3], "story"] = ""
    assert differing(dataset, replace(dataset, ads=ads), folds) == ["missing inputs"]


def test_metadata_change_a_stack(dataset: AdDataset, folds: Folds) -> None:
    ads = dataset.ads.copy()
    ads["year"] = pd.Series(np.arange(len(ads)), index=ads.index, dtype=ads["year"].dtype)
    assert differing(dataset, replace(dataset, ads=ads), folds) == ["metadata"]


def test_groups_change_a_stack(dataset: AdDataset, folds: Folds) -> None:
    grouped = replace(dataset, ads=dataset.ads.assign(group="g"))
    assert differing(dataset, grouped, folds) == ["groups"]


def test_top_k_changes_a_stack_and_its_scores(dataset: AdDataset, folds: Folds) -> None:
    other = replace(dataset, submission=SubmissionSpec("wide", 3))
    assert differing(dataset, other, folds) == ["top_k", "scoring"]


# On the command line

RUN = ["--set", 'models=["tfidf_logreg"]', "--set", "folds.n=3"]
RUN += ["--set", 'level2.model=["single", "mean"]', "--jobs", "1"]


def test_changed_metrics_score_again_without_fitting_and_stack_again(tmp_path: Path) -> None:
    environment = copy_package(tmp_path)
    ads, out = write_table(tmp_path / "films"), tmp_path / "out"
    command = [sys.executable, "-m", "competition", "run", "--data", str(ads), "--out", str(out)]

    def run() -> tuple[str, dict[str, int]]:
        done = subprocess.run(
            [*command, *RUN], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        # Every run writes its own record; the page is of the last one.
        every = [
            one for one in (out / "oof").rglob("*.*") if one.name not in (".locks", "run.json")
        ]
        files = [one for one in every if one.parent.name != "report"]
        return done.stdout + done.stderr, {str(one): one.stat().st_mtime_ns for one in files}

    _, first = run()
    _, second = run()
    assert second == first
    metrics = tmp_path / "competition" / "evaluation" / "metrics.py"
    metrics.write_text(metrics.read_text("utf-8").replace("_THRESHOLD = 0.5", "_THRESHOLD = 0.25"))
    text, third = run()
    rewritten = {
        Path(one).relative_to(out / "oof" / "films") for one in first if third[one] > first[one]
    }
    assert "tfidf_logreg: scored in another way, so it is scored again" in text
    assert "stack-selection: made from other source, scoring, so it is run again" in text
    of_model = {str(one.name) for one in rewritten if one.parent.name == "tfidf_logreg"}
    assert of_model == {"card.json", "oof.parquet", "test.parquet"}
    assert {str(one.name) for one in rewritten if one.parent.name == "stack-selection"} == {
        "card.json",
        "oof.parquet",
        "test.parquet",
        *(f"fold_{fold}.parquet" for fold in range(3)),
    }
