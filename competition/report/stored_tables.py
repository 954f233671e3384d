"""What `ablate` and the image benchmark have written, as the page shows it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from competition.report import plots
from competition.utils.errors import StoreError

TITLES = {
    "modalities": "Single modalities (the video paper’s Table 2)",
    "combinations": "Combinations of modalities (Table 3)",
    "missing": "A modality missing from the ads that are predicted",
    "fusion": "Ways of fusing (Table 4)",
    "models": "What each model adds",
}
METRICS = {"map": "mAP", "f1_c": "F1-C", "cf1": "CF1", "f1_o": "F1-O"}


@dataclass(frozen=True)
class AblationRow:
    """A row of an ablation table; `low` and `high` are the ends of the difference's interval."""

    name: str
    accuracy: float
    gap: float
    difference: float
    low: float
    high: float
    note: str


@dataclass(frozen=True)
class AblationTable:
    """One table, with the ends of the scale that its differences are drawn on."""

    title: str
    rows: list[AblationRow]
    scale: tuple[float, float]


def ablation_tables(folder: Path) -> list[AblationTable]:
    """Read ablation.csv of a folder; [] where `ablate` has not run.

    Raises
    ------
    StoreError
        If it is damaged.
    """
    path = folder / "ablation.csv"
    if not path.is_file():
        return []
    with _damage_told(path, "ablate"):
        return _ablation(path)


@contextmanager
def _damage_told(path: Path, command: str) -> Iterator[None]:
    """Turn what a damaged file leads to into a StoreError."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError) as bad:
        raise StoreError(
            f"{path} is damaged ({bad}): `python -m competition {command}` writes it anew."
        ) from bad


def _ablation(path: Path) -> list[AblationTable]:
    numbers = dict.fromkeys(("accuracy", "gap", "difference", "low", "high"), float)
    texts = dict.fromkeys(("table", "row", "note"), str)
    frame = pd.read_csv(path, dtype={**numbers, **texts}, keep_default_na=False)
    found = []
    for name, of_table in frame.groupby("table", sort=False):
        rows = [
            AblationRow(*values)
            for values in of_table[
                ["row", "accuracy", "gap", "difference", "low", "high", "note"]
            ].itertuples(index=False)
        ]
        ends = [0.0, *(row.low for row in rows), *(row.high for row in rows)]
        margin = 0.04 * (max(ends) - min(ends) or 1)
        title = TITLES.get(str(name), str(name))
        found.append(AblationTable(title, rows, (min(ends) - margin, max(ends) + margin)))
    return found


@dataclass(frozen=True, eq=False)
class BenchmarkTables:
    """Tables and figures of the image-ad benchmark.

    Attributes
    ----------
    tasks : list of str
    table1, table2 : list of (str, list of str, str)
        Method, its figures in the order of tasks and metrics, and a remark.
    gains : list of (str, str, Markup)
        Task, best rival and Figure 3.
    sweeps : list of (str, Markup)
        Parameter and its lines.
    """

    tasks: list[str]
    table1: list[tuple[str, list[str], str]]
    table2: list[tuple[str, list[str], str]]
    gains: list[tuple[str, str, Markup]]
    sweeps: list[tuple[str, Markup]]


def benchmark_tables(folder: Path) -> BenchmarkTables | None:
    """Read the tables of a folder; None where the benchmark has not run.

    Raises
    ------
    StoreError
        If one is damaged.
    """
    paths = [folder / f"{name}.csv" for name in ("table1", "table2", "figure3", "sweeps")]
    if not all(path.is_file() for path in paths):
        return None
    with _damage_told(folder, "benchmark image-ads"):
        return _benchmark(*(pd.read_csv(path) for path in paths))


def _benchmark(
    first: pd.DataFrame, second: pd.DataFrame, third: pd.DataFrame, sweeps: pd.DataFrame
) -> BenchmarkTables:
    tasks = list(dict.fromkeys(first["task"]))
    return BenchmarkTables(
        tasks,
        _rows(first, tasks, "_sd", "{:.3f}"),
        _rows(second, tasks, "_margin", "{:+.2f}"),
        list(_figure3(third)),
        list(_sweeps(sweeps)),
    )


def _rows(
    frame: pd.DataFrame, tasks: list[str], spread: str, form: str
) -> list[tuple[str, list[str], str]]:
    found = []
    for method, rows in frame.groupby("method", sort=False):
        of_task: dict[str, dict[Any, Any]] = {row["task"]: row for row in rows.to_dict("records")}
        cells = []
        for task in tasks:
            values = of_task.get(task, {})
            for metric in METRICS:
                written = "–"
                if pd.notna(values.get(metric)):
                    written = form.format(values[metric])
                    if pd.notna(values.get(metric + spread)):
                        written += f" ± {form.format(values[metric + spread]).lstrip('+')}"
                if pd.notna(values.get(f"paper_{metric}")):
                    written += f" ({form.format(values[f'paper_{metric}'])})"
                cells.append(written)
        first = next(iter(of_task.values()))
        remarks = [first.get(column) for column in ("note", "made_from")]
        remark = next((one for one in remarks if isinstance(one, str) and one), "")
        found.append((str(method), cells, remark))
    return found


def _figure3(frame: pd.DataFrame) -> Iterable[tuple[str, str, Markup]]:
    for task, rows in frame.groupby("task", sort=False):
        ordered = rows.sort_values("gain", ascending=False)
        bars = [
            (str(tag), float(gain), round(float(n)))
            for tag, gain, n in zip(ordered["tag"], ordered["gain"], ordered["n_test"], strict=True)
        ]
        says = f"Gain of HMAM in average precision, {task}"
        yield str(task), str(rows["rival"].iloc[0]), plots.gain_bars(bars, says)


def _sweeps(frame: pd.DataFrame) -> Iterable[tuple[str, Markup]]:
    for parameter, rows in frame.groupby("parameter", sort=False):
        values = sorted(set(rows["value"]))
        lines = []
        for number, (task, of_task) in enumerate(rows.groupby("task", sort=False)):
            in_order = of_task.sort_values("value")
            colour = "soft" if number else ""
            for ads, css in (("test", colour), ("validation", f"{colour} thin")):
                points = [float(value) for value in in_order[f"{ads}_map"]]
                lines.append((f"{task}, {ads}", css, points))
        chosen = rows.loc[rows["chosen"] == 1, "value"]
        place = values.index(chosen.iloc[0]) if len(chosen) else None
        labels = [f"{value:g}" for value in values]
        yield str(parameter), plots.curves(lines, labels, f"mAP by {parameter}", place)
