"""Tables 1 and 2, Figure 3 and the sweeps, as CSV and Markdown."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from competition.evaluation.metrics import average_precisions
from competition.reproductions.look_read_feel.methods import SweepPoint
from competition.reproductions.look_read_feel.results import Benchmark, Change, Outcome
from competition.utils.errors import ProfileError
from competition.utils.files import write_text
from competition.utils.settings import read_toml

PAPER = Path(__file__).with_name("paper.toml")
PAPERS_DATA = "pitt_ads"
HEADINGS = {"map": "mAP", "f1_c": "F1-C", "cf1": "CF1", "f1_o": "F1-O"}
THEIRS = ("map", "f1_c", "f1_o")  # what the paper reports, in its order

Figures = dict[str, dict[str, list[float]]]  # by row and task: mAP, F1-C, F1-O


def paper_figures(dataset: str) -> dict[str, Figures]:
    """Return the paper's figures by table; none where the ads are not the paper's."""
    if dataset != PAPERS_DATA:
        return {"table1": {}, "table2": {}}
    return read_toml(PAPER, ProfileError)


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


def rival_of(benchmark: Benchmark, task: str) -> Outcome | None:
    """The rival in Table 1 that the validation ads put first on a task."""
    rivals = [outcome for outcome in benchmark.table1[:-2] if outcome.runs]

    def validated(outcome: Outcome) -> float:
        return outcome.scores[task]["validation"]["map"]

    return max(rivals, key=validated, default=None)


@dataclass(frozen=True)
class Gain:
    """What HMAM gains on one tag over the best rival, as the mean over the splits.

    Attributes
    ----------
    tag : str
    n_test : float
        Test ads that carry it.
    precision, rival : float
        Average precisions; NaN where no test ad carries the tag.
    """

    tag: str
    n_test: float
    precision: float
    rival: float

    @property
    def gain(self) -> float:
        return self.precision - self.rival


def gains(benchmark: Benchmark, task: str) -> list[Gain]:
    """Figure 3: gains of HMAM by tag, largest first, from the stored test predictions."""
    hmam, rival = benchmark.table1[-1], rival_of(benchmark, task)
    if not hmam.runs or rival is None:
        return []
    of_task = [n for n, tag in enumerate(benchmark.dataset.tags) if tag.dimension == task]
    labels = [split.test.labels[:, of_task] for split in benchmark.splits]
    ours, theirs = (
        np.array(
            [
                average_precisions(truth, run.test_predictions(task))
                for truth, run in zip(labels, outcome.runs, strict=True)
            ]
        )
        for outcome in (hmam, rival)
    )
    found = [
        Gain(
            benchmark.dataset.tags[tag].name,
            float(np.mean([truth[:, place].sum() for truth in labels])),
            _mean(ours[:, place]),
            _mean(theirs[:, place]),
        )
        for place, tag in enumerate(of_task)
    ]
    return sorted((one for one in found if one.n_test), key=lambda one: -one.gain)


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def write_tables(benchmark: Benchmark) -> None:
    """Write table1, table2, figure3 and sweeps as .csv, and all of it as README.md."""
    paper = paper_figures(benchmark.dataset.name)
    sections = [_heading(benchmark)]
    sections += ["## Table 1: scores on the test ads", _table1(benchmark, paper["table1"])]
    sections += [
        "## Table 2: change without a part of HMAM, in percentage points",
        _table2(benchmark, paper["table2"]),
        "## Figure 3: gain in average precision by tag",
        _figure3(benchmark),
    ]
    _write_sweeps_csv(benchmark)
    sections += ["## Figures 4 and 5: sweeps of HMAM", _sweeps_markdown(benchmark)]
    write_text(benchmark.folder / "README.md", "\n\n".join(sections) + "\n")


def _heading(benchmark: Benchmark) -> str:
    split, n_splits = benchmark.splits[0], len(benchmark.splits)
    lines = [
        f"# Image-ad benchmark on {benchmark.dataset.name}",
        f"{len(split.train.ids):,} ads train, {len(split.validation.ids):,} validate, "
        f"{len(split.test.ids):,} test. A method that is not joint has a model for each task. "
        "Networks keep the epoch, and sweeps the value, with the highest mAP on the validation "
        "ads. Nothing is chosen on the test ads.",
    ]
    if n_splits > 1:
        lines.append(
            f"Figures are means over {n_splits} random splits. In Table 1 ± is the standard "
            "deviation over the splits; in Table 2 half of a 95 % interval of the mean difference, "
            "each split paired with itself and corrected for the ads that splits share (Nadeau and "
            "Bengio 2003)."
        )
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


def cell(value: float, spread: float, form: str) -> str:
    """A figure, and what it spreads by where that is known."""
    if math.isnan(value):
        return "-"
    beside = "" if math.isnan(spread) else f" ± {spread:{form.lstrip('+')}}"
    return f"{value:{form}}{beside}"


def _table1(benchmark: Benchmark, paper: Figures) -> str:
    rows: list[list[str]] = []
    records: list[list[Any]] = []
    for outcome in benchmark.table1:
        method, scores, cells = outcome.method, outcome.scores, []
        note = f"not run: {method.lacks}" if method.lacks else ""
        for task in benchmark.tasks:
            theirs = dict(zip(THEIRS, paper.get(method.label, {}).get(task, []), strict=False))
            ours = scores[task]["test"] if scores else {}
            spreads = {metric: outcome.spread(task, metric) for metric in ours}
            for metric in HEADINGS:
                written = cell(ours.get(metric, math.nan), spreads.get(metric, math.nan), ".3f")
                if metric in theirs:
                    written += f" ({cell(theirs[metric], math.nan, '.3f')})"
                cells.append(written)
            records.append(
                [
                    method.label,
                    task,
                    *(ours.get(metric, "") for metric in HEADINGS),
                    *(_known(spreads.get(metric)) for metric in HEADINGS),
                    len(outcome.runs),
                    *(theirs.get(metric, "") for metric in THEIRS),
                    method.made_from,
                    " ".join(str(epoch) for run in outcome.runs for epoch in run.epochs),
                    note,
                ]
            )
        rows.append([method.label, *cells, method.made_from or "-"])
    header = ["method", "task", *HEADINGS, *(f"{metric}_sd" for metric in HEADINGS), "splits"]
    header += [*(f"paper_{metric}" for metric in THEIRS), "made_from", "epochs", "note"]
    _write_csv(benchmark.folder / "table1.csv", header, records)
    lines = [_markdown([*_heads(benchmark), "made from"], rows)]
    lines += [
        f"Not run: {outcome.method.label}: {outcome.method.lacks}."
        for outcome in benchmark.table1
        if outcome.method.lacks
    ]
    lines.append(FOOTNOTE)
    return "\n\n".join(lines)


FOOTNOTE = (
    "F1-C is the mean over tags of F1; CF1 is the F1 of the mean precision and the mean recall "
    "(Chen et al. 2019). The paper speaks of an average per-class F1 and cites papers of both "
    "conventions: its figures stand beside F1-C, but may be CF1. Both, and F1-O, are at threshold "
    "0.5."
)


def _table2(benchmark: Benchmark, paper: Figures) -> str:
    rows: list[list[str]] = []
    records: list[list[Any]] = []
    for outcome in benchmark.table2[1:]:
        label, found, cells = outcome.method.label, benchmark.changes(outcome), []
        for task in benchmark.tasks:
            theirs = dict(zip(THEIRS, paper.get(label, {}).get(task, []), strict=False))
            ours = found.get(task, {})
            for metric in HEADINGS:
                change = ours.get(metric, Change(math.nan, math.nan))
                written = cell(change.mean, change.margin, "+.2f")
                if metric in theirs:
                    written += f" ({theirs[metric]:+.2f})"
                cells.append(written)
            records.append(
                [
                    label,
                    task,
                    *(_known(ours[m].mean) if m in ours else "" for m in HEADINGS),
                    *(_known(ours[m].margin) if m in ours else "" for m in HEADINGS),
                    *(theirs.get(metric, "") for metric in THEIRS),
                ]
            )
        rows.append([label, *cells])
    header = ["method", "task", *HEADINGS, *(f"{metric}_margin" for metric in HEADINGS)]
    header += [f"paper_{metric}" for metric in THEIRS]
    _write_csv(benchmark.folder / "table2.csv", header, records)
    lines = [_markdown(_heads(benchmark), rows)]
    lines += [
        f"Not run: {outcome.method.label}: {outcome.method.lacks}."
        for outcome in benchmark.table2
        if outcome.method.lacks
    ]
    return "\n\n".join(lines)


def _figure3(benchmark: Benchmark) -> str:
    lines, records = [], list[list[Any]]()
    for task in benchmark.tasks:
        found, rival = gains(benchmark, task), rival_of(benchmark, task)
        if not found or rival is None:
            continue
        label = rival.method.label
        better = sum(one.gain > 0 for one in found)
        lines.append(
            f"{task}: HMAM is above {label}, the best rival on the validation ads, on {better} of "
            f"{len(found)} tags; most on "
            + ", ".join(f"{one.tag} ({one.gain:+.3f}, {one.n_test:g} ads)" for one in found[:3])
            + "."
        )
        records += [
            [task, one.tag, one.n_test, one.precision, label, one.rival, one.gain] for one in found
        ]
    header = ["task", "tag", "n_test", "hmam_ap", "rival", "rival_ap", "gain"]
    _write_csv(benchmark.folder / "figure3.csv", header, records)
    return "\n\n".join(lines) or "No rival was run."


def _heads(benchmark: Benchmark) -> list[str]:
    return ["method", *(f"{task} {h}" for task in benchmark.tasks for h in HEADINGS.values())]


def _markdown(heads: list[str], rows: list[list[str]]) -> str:
    aligned = ["---", *["---:"] * (len(heads) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [heads, aligned, *rows])


def _known(value: float | None) -> float | str:
    return "" if value is None or math.isnan(value) else value


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
        "On the first split, trained as long as in the tables; test mAP by value, in bold the "
        "value that the validation ads choose (highest mAP, mean over tasks).",
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
