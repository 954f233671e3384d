"""Tables 1 and 2 and the sweeps, as CSV and Markdown."""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from competition.reproductions.look_read_feel.methods import SweepPoint
from competition.reproductions.look_read_feel.results import Benchmark, Outcome
from competition.utils.errors import ProfileError
from competition.utils.files import write_text
from competition.utils.settings import read_toml

PAPER = Path(__file__).with_name("paper.toml")
PAPERS_DATA = "pitt_ads"
HEADINGS = {"map": "mAP", "f1_c": "F1-C", "f1_o": "F1-O"}

Figures = dict[str, dict[str, list[float]]]  # by row and task: mAP, F1-C, F1-O


def paper_figures(dataset: str) -> dict[str, Figures]:
    """Return the paper's figures by table; none where the ads are not the paper's."""
    if dataset != PAPERS_DATA:
        return {"table1": {}, "table2": {}}
    return read_toml(PAPER, ProfileError)


def changes(outcome: Outcome, full: Outcome) -> dict[str, dict[str, float]]:
    """What the test scores of a method lie above those of the full one, in percentage points."""
    return {
        task: {
            metric: 100 * (value - full.scores[task]["test"][metric])
            for metric, value in scores["test"].items()
        }
        for task, scores in outcome.scores.items()
    }


def chosen_value(points: Sequence[tuple[SweepPoint, Outcome]]) -> float:
    """Value of a sweep with the highest mAP on the validation ads, mean over tasks."""

    def validated(pair: tuple[SweepPoint, Outcome]) -> float:
        tasks = pair[1].scores.values()
        return sum(scores["validation"]["map"] for scores in tasks) / len(tasks)

    return max(points, key=validated)[0].value


def sweeps_by_parameter(
    benchmark: Benchmark,
) -> dict[str, list[tuple[SweepPoint, Outcome]]]:
    """Points of each sweep that was run, in the order of its values."""
    sweeps: dict[str, list[tuple[SweepPoint, Outcome]]] = {}
    for point, outcome in benchmark.sweeps:
        if outcome.scores:
            sweeps.setdefault(point.parameter, []).append((point, outcome))
    return sweeps


def write_tables(benchmark: Benchmark) -> None:
    """Write table1, table2 and sweeps as .csv, and all of it as README.md."""
    paper = paper_figures(benchmark.dataset.name)
    first = {
        outcome.method.label: {task: scores["test"] for task, scores in outcome.scores.items()}
        for outcome in benchmark.table1
    }
    full, *ablated = benchmark.table2
    second = {outcome.method.label: changes(outcome, full) for outcome in ablated}
    notes = {
        outcome.method.label: outcome.method.lacks
        for outcome in [*benchmark.table1, *benchmark.table2]
    }
    sections = [_heading(benchmark)]
    for name, rows, digits, title in (
        ("table1", first, 3, "Table 1: scores on the test ads"),
        ("table2", second, 2, "Table 2: change without a part of HMAM, in percentage points"),
    ):
        _write_scores_csv(benchmark.folder / f"{name}.csv", rows, paper[name], notes, benchmark)
        sections += [f"## {title}", _markdown(rows, paper[name], notes, digits, benchmark)]
    _write_sweeps_csv(benchmark)
    sections += ["## Sweeps of HMAM", _sweeps_markdown(benchmark)]
    write_text(benchmark.folder / "README.md", "\n\n".join(sections) + "\n")


def _heading(benchmark: Benchmark) -> str:
    split = benchmark.split
    lines = [
        f"# Image-ad benchmark on {benchmark.dataset.name}",
        f"{len(split.train.ids):,} ads train, {len(split.validation.ids):,} validate, "
        f"{len(split.test.ids):,} test. A method that is not joint has a model for each task. "
        "Nothing is chosen on the test ads.",
    ]
    found = [f"{done.feature} ({done.extractor}, {done.shape})" for done in benchmark.extractions]
    if found:
        lines.append(f"Features: {'; '.join(found)}.")
    if benchmark.dataset.name == PAPERS_DATA:
        lines.append(
            "In parentheses: the paper's figures, on about 30,000 ads. Its tables do not agree on "
            "what the multitask loss is worth; here, what Table 2 takes away is what the "
            "single-task row of Table 1 lacks."
        )
    return "\n\n".join(lines)


def _figure(value: float | None, digits: int, signed: bool) -> str:
    if value is None or math.isnan(value):
        return "-"
    return f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"


def _markdown(
    rows: dict[str, dict[str, dict[str, float]]],
    paper: Figures,
    notes: dict[str, str],
    digits: int,
    benchmark: Benchmark,
) -> str:
    signed = digits == 2
    heads = [f"{task} {head}" for task in benchmark.tasks for head in HEADINGS.values()]
    table = [["method", *heads], ["---", *["---:"] * len(heads)]]
    for label, scores in rows.items():
        cells = []
        for task in benchmark.tasks:
            theirs = paper.get(label, {}).get(task, [])
            for place, metric in enumerate(HEADINGS):
                cell = _figure(scores.get(task, {}).get(metric), digits, signed)
                if theirs:
                    cell += f" ({_figure(theirs[place], digits, signed)})"
                cells.append(cell)
        table.append([label, *cells])
    lines = [f"| {' | '.join(row)} |" for row in table]
    lines += [f"\nNot run: {label}: {notes[label]}." for label in rows if notes[label]]
    return "\n".join(lines)


def _write_scores_csv(
    path: Path,
    rows: dict[str, dict[str, dict[str, float]]],
    paper: Figures,
    notes: dict[str, str],
    benchmark: Benchmark,
) -> None:
    header = ["method", "task", *HEADINGS, *(f"paper_{metric}" for metric in HEADINGS), "note"]
    table: list[list[Any]] = []
    for label, scores in rows.items():
        for task in benchmark.tasks:
            ours = [scores.get(task, {}).get(metric, "") for metric in HEADINGS]
            theirs = paper.get(label, {}).get(task, [""] * len(HEADINGS))
            note = f"not run: {notes[label]}" if notes[label] else ""
            table.append([label, task, *ours, *theirs, note])
    _write_csv(path, header, table)


def _write_sweeps_csv(benchmark: Benchmark) -> None:
    table: list[list[Any]] = []
    for parameter, points in sweeps_by_parameter(benchmark).items():
        best = chosen_value(points)
        for point, outcome in points:
            for task, scores in outcome.scores.items():
                figures = [scores[ads][m] for ads in ("validation", "test") for m in HEADINGS]
                chosen = int(point.value == best)
                table.append([parameter, point.value, task, *figures, chosen])
    columns = [f"{ads}_{metric}" for ads in ("validation", "test") for metric in HEADINGS]
    header = ["parameter", "value", "task", *columns, "chosen"]
    _write_csv(benchmark.folder / "sweeps.csv", header, table)


def _sweeps_markdown(benchmark: Benchmark) -> str:
    lines = [
        f"Trained for half of HMAM's epochs ({benchmark.sweep_epochs}); test mAP by value, in bold "
        "the value that the validation ads choose (highest mAP, mean over tasks).",
    ]
    for parameter, points in sweeps_by_parameter(benchmark).items():
        best = chosen_value(points)
        values = [
            f"**{point.value:g}**" if point.value == best else f"{point.value:g}"
            for point, _ in points
        ]
        lines += ["", f"| {parameter} | {' | '.join(values)} |", "|---" * (len(values) + 1) + "|"]
        for task in benchmark.tasks:
            cells = [f"{outcome.scores[task]['test']['map']:.3f}" for _, outcome in points]
            lines.append(f"| {task} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _write_csv(path: Path, header: list[str], rows: list[list[Any]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([f"{c:.6g}" if isinstance(c, float) else c for c in row])
    write_text(path, text.getvalue())
