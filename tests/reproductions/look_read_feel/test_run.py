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
from competition.config.stages import Level1Settings
from competition.evaluation.metrics import average_precisions, mean_average_precision
from competition.report import benchmark as report
from competition.reproductions.look_read_feel import fits as fits_module
from competition.reproductions.look_read_feel import methods
from competition.reproductions.look_read_feel.results import Benchmark
from competition.reproductions.look_read_feel.run import run
from competition.reproductions.look_read_feel.tables import (
    chosen_value,
    gains,
    paper_figures,
    sweeps_by_parameter,
)
from competition.utils.errors import ProfileError, StoreError
from competition.utils.progress import Progress

ROWS = [
    "ResNet50 (Last)",
    "ResNet50 (All)",
    "ResNet101 (Last)",
    "ResNet101 (All)",
    "C2AE",
    "GCN",
    "C2AE (frozen features)",
    "GCN (frozen features)",
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


def test_table1_has_every_method_and_says_which_was_not_run(
    result: Benchmark, tiny_resnet: Path
) -> None:
    checkpoint = tiny_resnet
    assert [outcome.method.label for outcome in result.table1] == ROWS
    lacking = {outcome.method.label for outcome in result.table1 if not outcome.scores}
    assert lacking == {"ResNet101 (Last)", "ResNet101 (All)", "C2AE", "GCN"}
    notes = {row["method"]: row["note"] for row in rows(result.folder / "table1.csv")}
    assert (
        notes["ResNet101 (Last)"] == "not run: no weights: features.resnet101.checkpoint is not set"
    )
    assert notes["C2AE (frozen features)"] == ""
    made = {row["method"]: row["made_from"] for row in rows(result.folder / "table1.csv")}
    assert made["HMAM, multi-task"] == "look (thumbnails), regions (own)"
    assert made["ResNet50 (All)"].endswith(f"all layers of {checkpoint.name}")


def test_papers_figures_stand_beside_ours(result: Benchmark) -> None:
    table = {(row["method"], row["task"]): row for row in rows(result.folder / "table1.csv")}
    row = table["HMAM, multi-task", "topic"]
    assert [row["paper_map"], row["paper_f1_c"], row["paper_f1_o"]] == ["0.382", "0.371", "0.585"]
    assert float(row["map"]) == pytest.approx(
        result.table1[-1].scores["topic"]["test"]["map"], 1e-5
    )
    assert set(paper_figures("pitt_ads")["table1"]) == set(ROWS) - {
        *("Encoder (Last)", "C2AE (frozen features)", "GCN (frozen features)")
    }
    assert paper_figures("films") == {"table1": {}, "table2": {}}


def test_table2_is_the_change_in_percentage_points(result: Benchmark) -> None:
    full, *ablated = result.table2
    assert [outcome.method.label for outcome in ablated] == list(
        paper_figures("pitt_ads")["table2"]
    )
    expected = 100 * (
        ablated[0].scores["sentiment"]["test"]["map"] - full.scores["sentiment"]["test"]["map"]
    )
    assert result.changes(ablated[0])["sentiment"]["map"].mean == pytest.approx(expected)
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
    for name in ("table1.png", "table2.png", "figure3.png", "sweeps.png"):
        with Image.open(result.folder / name) as image:
            assert min(image.size) > 200


def test_printed_tables_say_what_was_run_and_what_not(
    result: Benchmark, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "console", Console(width=200))
        report.print_benchmark(result)
    printed = capsys.readouterr().out
    line = next(line for line in printed.splitlines() if "HMAM, multi-task" in line)
    expected = [
        result.table1[-1].scores["topic"]["test"][m] for m in ("map", "f1_c", "cf1", "f1_o")
    ]
    assert line.split()[2:6] == [f"{value:.3f}" for value in expected]
    assert "Not run: ResNet101 (All): no weights" in printed
    assert str(result.folder) in printed


def test_methods_have_their_whole_names_on_a_narrow_terminal(
    result: Benchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Console(width=80, record=True)
    monkeypatch.setattr(report, "console", console)
    report.print_benchmark(result)
    tables = console.export_text().partition(" is made from ")[0]
    for words in ("ResNet50", "ResNet101", "single-task", "hierarchical"):
        assert words in tables


def test_second_run_reads_all_and_scores_the_same(
    result: Benchmark, pitt: Path, profile: Profile, out: Path
) -> None:
    again = run(pitt, profile, out, n_jobs=1, device="cpu")
    assert again.n_fitted == 0
    assert again.table1[-1] == result.table1[-1]


def test_alike_models_are_fitted_once(result: Benchmark) -> None:
    # HMAM, single-task, two ablations; of the five values of the sweeps two are HMAM's own.
    assert len(list((result.folder / "fits").glob("hmam-*.json"))) == 4 + 3


def test_another_parameter_fits_that_model_alone(
    result: Benchmark, pitt: Path, profile: Profile, out: Path
) -> None:
    c2ae = profile.level1["c2ae_features"].model_copy(update={"epochs": 3})
    changed = profile.model_copy(update={"level1": {**profile.level1, "c2ae_features": c2ae}})
    assert run(pitt, changed, out, n_jobs=1, device="cpu").n_fitted == len(result.tasks)


@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [
        ("objects", "nothing", "objects: nothing cannot be had. Of .* there is regions; name one"),
        ("objects", "grid", "objects: grid cannot be had. Of .* there is regions; name one"),
        ("vectors", "no/vectors.bin", "vectors: There is no file no/vectors.bin"),
    ],
)
def test_what_the_user_names_and_cannot_be_had_is_refused(
    parameter: str, value: str, expected: str, pitt: Path, profile: Profile, tmp_path: Path
) -> None:
    hmam = Level1Settings(**{**profile.level1["hmam"].model_dump(), parameter: value})
    named = profile.model_copy(update={"level1": {**profile.level1, "hmam": hmam}})
    with pytest.raises(ProfileError, match=f"level1.hmam.{expected}"):
        run(pitt, named, tmp_path, n_jobs=1, device="cpu")


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
    only = profile.model_copy(update={"level1": {"encoder": profile.level1["encoder"]}})
    outcome = run(pitt, only, tmp_path, n_jobs=1, device="cpu").table1[ROWS.index("Encoder (Last)")]
    train, test = result.splits[0].train, result.splits[0].test
    topics, sentiments = slice(0, 2), slice(2, 5)
    for (ads, labels), tags in zip(fitted, (topics, sentiments), strict=True):
        assert ads == list(train.ids)
        assert np.array_equal(labels, train.labels[:, tags])
    ads, probabilities = predicted[3]  # after validation, test; validation: the sentiments' test
    assert ads == list(test.ids)
    expected = mean_average_precision(test.labels[:, sentiments], probabilities)
    assert outcome.scores["sentiment"]["test"]["map"] == expected


def test_figure_3_is_read_from_stored_test_predictions(result: Benchmark) -> None:
    task = "sentiment"
    truth = result.splits[0].test.labels[:, 2:]
    run = result.table1[-1].runs[0]
    precisions = average_precisions(truth, run.test_predictions(task))
    assert np.nanmean(precisions) == pytest.approx(run.scores[task]["test"]["map"])
    found = {gain.tag: gain for gain in gains(result, task)}
    for tag, precision, n_test in zip(
        ("active", "calm", "sad"), precisions, truth.sum(axis=0), strict=True
    ):
        assert found[tag].precision == pytest.approx(precision)
        assert found[tag].n_test == n_test
    table = [row for row in rows(result.folder / "figure3.csv") if row["task"] == task]
    assert [float(row["gain"]) for row in table] == sorted(
        (pytest.approx(gain.gain, abs=1e-4) for gain in gains(result, task)),
        key=lambda gain: -gain.expected,
    )


def test_epoch_of_every_network_is_chosen_and_noted(result: Benchmark) -> None:
    table = {row["method"]: row["epochs"] for row in rows(result.folder / "table1.csv")}
    assert table["Encoder (Last)"] == ""  # no network
    for label, n_networks in (("HMAM, multi-task", 1), ("HMAM, single-task", 2)):
        epochs = [int(epoch) for epoch in table[label].split()]
        assert len(epochs) == n_networks
        assert set(epochs) <= {1, 2}


def test_several_splits_give_mean_spread_and_interval(
    pitt: Path, profile: Profile, tmp_path: Path
) -> None:
    level1 = {name: profile.level1[name] for name in ("hmam", "encoder")}
    given = profile.model_copy(update={"level1": level1})
    found = run(pitt, given, tmp_path, n_jobs=1, device="cpu", splits=3)
    assert len({split.fingerprint for split in found.splits}) == 3
    multi, single = found.table1[-1], found.table2[3]
    values = [one.scores["topic"]["test"]["map"] for one in multi.runs]
    assert multi.scores["topic"]["test"]["map"] == pytest.approx(np.mean(values))
    row = next(
        row
        for row in rows(found.folder / "table1.csv")
        if row["method"] == "HMAM, multi-task" and row["task"] == "topic"
    )
    assert float(row["map_sd"]) == pytest.approx(np.std(values, ddof=1), abs=1e-5)
    lost = 100 * np.array(
        [
            one.scores["topic"]["test"]["map"] - full.scores["topic"]["test"]["map"]
            for one, full in zip(single.runs, multi.runs, strict=True)
        ]
    )
    split = found.splits[0]
    share = len(split.test.ids) / len(split.train.ids)
    change = found.changes(single)["topic"]["map"]
    assert change.mean == pytest.approx(lost.mean())
    # 4.3027 is Student's 97.5 % point with two degrees of freedom.
    margin = 4.3027 * np.std(lost, ddof=1) * np.sqrt(1 / 3 + share)
    assert change.margin == pytest.approx(margin, rel=1e-4)


def test_time_that_is_left_is_told_after_the_first_fit(
    pitt: Path, profile: Profile, tmp_path: Path
) -> None:
    class Heard(Progress):
        def __init__(self) -> None:
            self.remarks: list[str] = []

        def remark(self, text: str) -> None:
            self.remarks.append(text)

    only = profile.model_copy(update={"level1": {"hmam": profile.level1["hmam"]}})
    heard = Heard()
    run(pitt, only, tmp_path, n_jobs=1, device="cpu", progress=heard)
    (said,) = [text for text in heard.remarks if text.startswith("A fit of hmam takes")]
    assert "; 6 are left: about " in said  # three more in the tables, three points of the sweeps
    heard.remarks.clear()
    run(pitt, only, tmp_path, n_jobs=1, device="cpu", progress=heard)
    assert not any("A fit of" in text for text in heard.remarks)
