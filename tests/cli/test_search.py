"""`tune`, `ablate` and `benchmark`, by what they print and what they write."""

import csv
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from competition.reproductions.look_read_feel import methods
from tests.cli.calling import call
from tests.cli.conftest import QUICK


def test_tune_writes_a_profile_that_a_run_scores_as_printed(ads: Path, tmp_path: Path) -> None:
    settings = ["--data", ads, "--set", "folds.n=3", "--out", tmp_path, "--jobs", 1]
    done = call("tune", "tfidf_logreg", *settings, "--trials", 3)
    start, best = (float(cell) for cell in done.row("GAP")[1:3])
    assert start <= best
    path = tmp_path / "oof" / "demo" / "tuning" / "tfidf_logreg.toml"
    assert done.line("Best values: --profile ") == str(path)
    assert f"{path.with_name('studies.sqlite')}" in done.line("Study: ")
    tuned = tomllib.loads(path.read_text(encoding="utf-8"))["level1"]["tfidf_logreg"]
    assert done.row("C")[2] == f"{tuned['C']:.4g}"
    only = ["--set", 'models=["tfidf_logreg"]', "--set", "level2.model=mean"]
    run = call("run", "--data", ads, "--profile", path, "--out", tmp_path, "--jobs", 1, *only)
    assert run.row("tfidf_logreg")[1] == f"{best:.4f}"


def test_tune_stack_tunes_the_meta_learner_of_the_profile(ads: Path, out: Path) -> None:
    settings = ["--data", ads, "--set", "level2.model=greedy", "--out", out, "--jobs", 1]
    done = call("tune", "stack", *settings, "--trials", 2, "--write", out / "best.toml")
    assert done.line("Best values: --profile ") == str(out / "best.toml")
    assert tomllib.loads((out / "best.toml").read_text(encoding="utf-8"))["level2"]["rounds"]


def test_ablate_prints_the_rows_that_it_writes(ads: Path, out: Path) -> None:
    done = call("ablate", "--data", ads, "--out", out, *QUICK, "--set", 'kinds=["metadata"]')
    folder = out / "oof" / "demo" / "ablation"
    for name in ("ablation.csv", "ablation.md"):
        assert f"Written: {folder / name}" in done.out
    table = pd.read_csv(folder / "ablation.csv")
    table = table[table["table"] == "models"].set_index("row")
    assert list(table.index[:3]) == [
        *("all models", "without tfidf_logreg", "without tfidf_nblogreg")
    ]
    for name, row in table.iterrows():
        assert done.row(str(name))[1:4] == [
            *(f"{row['accuracy']:.4f}", f"{row['gap']:.4f}", f"{row['difference']:+.4f}")
        ]


@pytest.fixture
def quick_benchmark(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Few sweeps and small networks: settings for the shipped profile."""
    monkeypatch.setattr(methods, "SWEEPS", {"dropout": (0.0, 0.5)})
    small = {
        "hmam": {"dim": 8, "hidden": 8, "epochs": 2},
        "c2ae_features": {"hidden": 16, "epochs": 2},
        "mlgcn_features": {"hidden": 8, "epochs": 2},
    }
    return [
        part
        for model, params in small.items()
        for name, value in params.items()
        for part in ("--set", f"level1.{model}.{name}={value}")
    ]


def test_benchmark_of_the_shipped_profile_runs_what_has_weights(
    tmp_path: Path, quick_benchmark: list[str], tiny_resnet: Path
) -> None:
    from tests.made_pitt import write_pitt

    data = write_pitt(tmp_path / "pitt", 60)
    weights = [f"features.{name}.checkpoint={tiny_resnet}" for name in ("look", "resnet50")]
    settings = [part for setting in weights for part in ("--set", setting)]
    given = ["--data", data, "--out", tmp_path, "--jobs", 1, "--device", "cpu"]
    done = call("benchmark", "image-ads", *given, *settings, *quick_benchmark)
    folder = tmp_path / "benchmarks" / "image-ads" / "pitt_ads"
    assert done.line("Tables and plots: ") == str(folder)
    with (folder / "table1.csv").open(encoding="utf-8", newline="") as file:
        rows = {(row["method"], row["task"]): row for row in csv.DictReader(file)}
    for metric in ("map", "f1_c", "f1_o"):
        value = float(rows["HMAM, multi-task", "topic"][metric])
        (line,) = [line for line in done.out.splitlines() if "HMAM, multi-task" in line]
        assert f"{value:.3f}" in line
    assert "Not run: ResNet101 (Last): no weights: features.resnet101.checkpoint" in done.out
    assert not any("ResNet50" in line for line in done.out.splitlines() if "Not run" in line)
