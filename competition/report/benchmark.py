"""What `competition benchmark` prints."""

from rich import box
from rich.table import Table

from competition.report.tables import console
from competition.reproductions.look_read_feel.results import Benchmark
from competition.reproductions.look_read_feel.tables import (
    FOOTNOTE,
    HEADINGS,
    cell,
    chosen_value,
    sweeps_by_parameter,
)


def print_benchmark(result: Benchmark) -> None:
    """Print Tables 1 and 2, the values that the sweeps choose, and where the files lie."""
    name, n = result.dataset.name, len(result.splits)
    over = f", mean of {n} splits" if n > 1 else ""
    first = _table(f"Scores on {len(result.splits[0].test.ids):,} test ads, {name}{over}", result)
    for outcome in result.table1:
        scores = outcome.scores
        cells = [
            cell(scores[task]["test"][metric], outcome.spread(task, metric), ".3f")
            if scores
            else "-"
            for task in result.tasks
            for metric in HEADINGS
        ]
        first.add_row(outcome.method.label, *cells)
    console.print(first)
    second = _table("Change without a part of HMAM, in percentage points", result)
    for outcome in result.table2[1:]:
        found = result.changes(outcome)
        cells = [
            cell(found[task][metric].mean, found[task][metric].margin, "+.2f") if found else "-"
            for task in result.tasks
            for metric in HEADINGS
        ]
        second.add_row(outcome.method.label, *cells)
    console.print(second)
    lines = [
        f"{outcome.method.label} is made from {outcome.method.made_from}."
        for outcome in result.table1
        if outcome.method.made_from
    ]
    lines += [
        f"Not run: {outcome.method.label}: {outcome.method.lacks}."
        for outcome in result.table1
        if outcome.method.lacks
    ]
    lines.append(FOOTNOTE)
    chosen = [
        f"{parameter} {chosen_value(points):g}"
        for parameter, points in sweeps_by_parameter(result).items()
    ]
    if chosen:
        lines.append(f"The validation ads choose, one at a time: {', '.join(chosen)}.")
    lines.append(f"{result.n_fitted} models were fitted, the others read.")
    lines.append(f"Tables and plots: {result.folder}")
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _table(title: str, result: Benchmark) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("method", overflow="fold", min_width=12)
    for task in result.tasks:
        for heading in HEADINGS.values():
            table.add_column(f"{task}\n{heading}", justify="right")
    return table
