"""`tune`, `ablate` and `benchmark`, by what they print and what they write."""

import csv
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.reproductions.look_read_feel import methods
from tests.cli.calling import call, called
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
    for metric in ("map", "f1_c", "cf1", "f1_o"):
        value = float(rows["HMAM, multi-task", "topic"][metric])
        lines = [line for line in done.out.splitlines() if "HMAM, multi-task" in line]
        assert f"{value:.3f}" in lines[0]
        assert "is made from look (" in lines[1]
    assert "Not run: ResNet101 (Last): microsoft/resnet-101 cannot be had" in done.out
    assert "features.detections is left out: facebook/detr-resnet-50 cannot be had" in done.out
    assert not any("ResNet50" in line for line in done.out.splitlines() if "Not run" in line)


def test_benchmark_with_all_that_the_paper_has(
    tmp_path: Path, quick_benchmark: list[str], tiny_resnet: Path
) -> None:
    """Bottom-up regions from a .tsv, word vectors from a file, encoders trained end to end."""
    from tests.features.extractors.test_bottom_up import tsv_line
    from tests.made_pitt import write_pitt

    data = write_pitt(tmp_path / "pitt", 40)
    rng = np.random.default_rng(0)
    names = [image.relative_to(data).as_posix() for image in sorted(data.glob("[0-9]*/*.jpg"))]
    lines = [tsv_line(name, rng.normal(size=(3, 8))) for name in names[:-1]]
    (tmp_path / "bottom_up.tsv").write_text("".join(lines), encoding="utf-8")
    (tmp_path / "glove.txt").write_text("cars 1 2\nrestaurant 0 1\nsad -1 0\n", encoding="utf-8")
    settings = [
        *(f"features.{name}.checkpoint={tiny_resnet}" for name in ("look", "resnet101", "grid")),
        f"features.regions.path={tmp_path / 'bottom_up.tsv'}",
        f"level1.mlgcn.vectors={tmp_path / 'glove.txt'}",
        *("level1.mlgcn.epochs=1", "level1.c2ae.epochs=1"),
    ]
    given = ["--data", data, "--out", tmp_path, "--jobs", 1, "--device", "cpu"]
    options = [part for setting in settings for part in ("--set", setting)]
    done = call("benchmark", "image-ads", *given, *options, *quick_benchmark)
    folder = tmp_path / "benchmarks" / "image-ads" / "pitt_ads"
    table = pd.read_csv(folder / "table1.csv").set_index(["method", "task"])
    hmam = table.loc[("HMAM, multi-task", "topic")]
    assert hmam["made_from"].startswith(f"look ({tiny_resnet.name}), regions (bottom_up.tsv)")
    gcn = table.loc[("GCN", "topic")]
    assert gcn["made_from"].endswith(f"all layers of {tiny_resnet.name}, word vectors (glove.txt)")
    assert table.loc[[("C2AE", "topic"), ("GCN", "sentiment")], "map"].between(0, 1).all()
    assert not any(
        "C2AE" in line or "GCN" in line for line in done.out.splitlines() if "Not run" in line
    )
    extracted = {path.name.split("-")[0] for path in (tmp_path / "cache" / "features").iterdir()}
    assert "bottom_up" in extracted
    assert "regions" not in extracted  # no grid where there are bottom-up features


def test_checkpoint_of_ones_own_that_is_not_there_ends_the_benchmark(tmp_path: Path) -> None:
    from tests.made_pitt import write_pitt

    data = write_pitt(tmp_path / "pitt", 40)
    given = ["--data", data, "--out", tmp_path, "--set", "features.look.checkpoint=/none/vit"]
    done = called("benchmark", "image-ads", *given)
    assert done.status == 2
    assert "There is no folder /none/vit with a checkpoint" in done.err
