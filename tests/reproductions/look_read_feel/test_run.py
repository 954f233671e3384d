"""The whole benchmark on a small Pitt folder."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from competition.config.profile import Profile
from competition.evaluation.metrics import mean_average_precision
from competition.report import benchmark as report
from competition.reproductions.look_read_feel import fits as fits_module
from competition.reproductions.look_read_feel import methods
from competition.reproductions.look_read_feel.results import Benchmark
from competition.reproductions.look_read_feel.run import run
from competition.reproductions.look_read_feel.tables import (
    changes,
    chosen_value,
    paper_figures,
    sweeps_by_parameter,
)
from competition.utils.errors import StoreError

ROWS = [
    "ResNet50 (Last)",
    "ResNet50 (All)",
    "ResNet101 (Last)",
    "ResNet101 (All)",
    "C2AE",
    "GCN",
    "Encoder (Last)",
    "HMAM, single-task",
    "HMAM, multi-task",
]


@pytest.fixture(scope="module", autouse=True)
def few_points() -> Iterator[None]:
    """Sweep two parameters only: the suite is run often."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods, "SWEEPS", {"dropout": (0.0, 0.5), "alpha": (1.0, 200.0, 400.0)})
        yield


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


@pytest.fixture(scope="module")
def result(pitt: Path, profile: Profile, out: Path, tiny_resnet: Path) -> Benchmark:
    look = profile.features["resnet50"].model_copy(update={"checkpoint": str(tiny_resnet)})
    given = profile.model_copy(update={"features": {**profile.features, "resnet50": look}})
    return run(pitt, given, out, n_jobs=1, device="cpu")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_table1_has_every_method_and_says_which_was_not_run(result: Benchmark) -> None:
    assert [outcome.method.label for outcome in result.table1] == ROWS
    lacking = {outcome.method.label for outcome in result.table1 if not outcome.scores}
    assert lacking == {"ResNet101 (Last)", "ResNet101 (All)"}
    notes = {row["method"]: row["note"] for row in rows(result.folder / "table1.csv")}
    assert (
        notes["ResNet101 (Last)"] == "not run: no weights: features.resnet101.checkpoint is not set"
    )
    assert notes["C2AE"] == ""


def test_papers_figures_stand_beside_ours(result: Benchmark) -> None:
    table = {(row["method"], row["task"]): row for row in rows(result.folder / "table1.csv")}
    row = table["HMAM, multi-task", "topic"]
    assert [row["paper_map"], row["paper_f1_c"], row["paper_f1_o"]] == ["0.382", "0.371", "0.585"]
    assert float(row["map"]) == pytest.approx(
        result.table1[-1].scores["topic"]["test"]["map"], 1e-5
    )
    assert set(paper_figures("pitt_ads")["table1"]) == set(ROWS) - {"Encoder (Last)"}
    assert paper_figures("films") == {"table1": {}, "table2": {}}


def test_table2_is_the_change_in_percentage_points(result: Benchmark) -> None:
    full, *ablated = result.table2
    assert [outcome.method.label for outcome in ablated] == list(
        paper_figures("pitt_ads")["table2"]
    )
    expected = 100 * (
        ablated[0].scores["sentiment"]["test"]["map"] - full.scores["sentiment"]["test"]["map"]
    )
    assert changes(ablated[0], full)["sentiment"]["map"] == pytest.approx(expected)
    assert ablated[2].scores == result.table1[-2].scores  # the same model: fitted once


def test_validation_ads_choose_and_test_ads_do_not(result: Benchmark) -> None:
    sweeps = sweeps_by_parameter(result)
    assert {name: [p.value for p, _ in points] for name, points in sweeps.items()} == {
        name: list(values) for name, values in methods.SWEEPS.items()
    }
    points = sweeps["dropout"]
    validated = [
        np.mean([scores["validation"]["map"] for scores in outcome.scores.values()])
        for _, outcome in points
    ]
    assert chosen_value(points) == points[int(np.argmax(validated))][0].value
    marked = [row["value"] for row in rows(result.folder / "sweeps.csv") if row["chosen"] == "1"]
    assert len(marked) == len(methods.SWEEPS) * len(result.tasks)


def test_report_and_plots_are_written(result: Benchmark) -> None:
    from PIL import Image

    text = (result.folder / "README.md").read_text(encoding="utf-8")
    assert "Not run: ResNet101 (All): no weights" in text
    assert "(0.382)" in text
    for name in ("table1.png", "table2.png", "sweeps.png"):
        with Image.open(result.folder / name) as image:
            assert min(image.size) > 200


def test_printed_tables_say_what_was_run_and_what_not(
    result: Benchmark, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "console", Console(width=120))
        report.print_benchmark(result)
    printed = capsys.readouterr().out
    line = next(line for line in printed.splitlines() if "HMAM, multi-task" in line)
    expected = [result.table1[-1].scores["topic"]["test"][m] for m in ("map", "f1_c", "f1_o")]
    assert line.split()[2:5] == [f"{value:.3f}" for value in expected]
    assert "Not run: ResNet101 (All): no weights" in printed
    assert str(result.folder) in printed


def test_second_run_reads_all_and_scores_the_same(
    result: Benchmark, pitt: Path, profile: Profile, out: Path
) -> None:
    again = run(pitt, profile, out, n_jobs=1, device="cpu")
    assert again.n_fitted == 0
    assert again.table1[-1] == result.table1[-1]


def test_alike_models_are_fitted_once(result: Benchmark) -> None:
    # HMAM, single-task, two ablations; sweeps of two and three values share the default of dropout
    # with one of alpha.
    assert len(list((result.folder / "fits").glob("hmam-*.json"))) == 4 + 4


def test_another_parameter_fits_that_model_alone(
    result: Benchmark, pitt: Path, profile: Profile, out: Path
) -> None:
    c2ae = profile.level1["c2ae"].model_copy(update={"epochs": 3})
    changed = profile.model_copy(update={"level1": {**profile.level1, "c2ae": c2ae}})
    assert run(pitt, changed, out, n_jobs=1, device="cpu").n_fitted == len(result.tasks)


def test_damaged_result_is_named(
    result: Benchmark, pitt: Path, profile: Profile, out: Path
) -> None:
    path = next((result.folder / "fits").glob("hmam-*.json"))
    before = path.read_bytes()
    path.write_bytes(before[:40])
    with pytest.raises(StoreError, match=path.name):
        run(pitt, profile, out, n_jobs=1, device="cpu")
    path.write_bytes(before)


def test_models_learn_from_training_ads_alone_and_are_scored_on_the_others(
    result: Benchmark, pitt: Path, profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[tuple[list[str], np.ndarray]] = []
    predicted: list[tuple[list[str], np.ndarray]] = []
    make = fits_module.make_estimator

    def watched(*args: Any, **kwargs: Any) -> Any:
        model = make(*args, **kwargs)
        fit, predict = model.fit, model.predict_proba

        def watched_fit(X: pd.DataFrame, Y: np.ndarray) -> Any:
            fitted.append((list(X.index), Y))
            return fit(X, Y)

        def watched_predict(X: pd.DataFrame) -> np.ndarray:
            predicted.append((list(X.index), predict(X)))
            return predicted[-1][1]

        model.fit, model.predict_proba = watched_fit, watched_predict
        return model

    monkeypatch.setattr(fits_module, "make_estimator", watched)
    only = profile.model_copy(update={"level1": {"mlgcn": profile.level1["mlgcn"]}})
    outcome = run(pitt, only, tmp_path, n_jobs=1, device="cpu").table1[ROWS.index("GCN")]
    train, test = result.split.train, result.split.test
    topics, sentiments = slice(0, 2), slice(2, 5)
    for (ads, labels), tags in zip(fitted, (topics, sentiments), strict=True):
        assert ads == list(train.ids)
        assert np.array_equal(labels, train.labels[:, tags])
    ads, probabilities = predicted[3]  # after validation, test; validation: the sentiments' test
    assert ads == list(test.ids)
    expected = mean_average_precision(test.labels[:, sentiments], probabilities)
    assert outcome.scores["sentiment"]["test"]["map"] == expected
