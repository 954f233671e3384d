"""Tables 1 and 2 and Figure 3 as bars, and the sweeps as lines."""

from typing import Any

from competition.reproductions.look_read_feel.results import Benchmark
from competition.reproductions.look_read_feel.tables import (
    Figures,
    chosen_value,
    gains,
    paper_figures,
    rival_of,
    sweeps_by_parameter,
)
from competition.utils.files import written_whole


def write_plots(benchmark: Benchmark) -> None:
    """Write table1.png, table2.png, figure3.png and sweeps.png."""
    from matplotlib.figure import Figure

    paper = paper_figures(benchmark.dataset.name)
    first = {
        outcome.method.label: {task: scores["test"] for task, scores in outcome.scores.items()}
        for outcome in benchmark.table1
        if outcome.scores
    }
    _bars(benchmark, first, paper["table1"], "mAP on the test ads", "table1.png")
    second = {
        outcome.method.label: {
            task: {metric: change.mean for metric, change in found.items()}
            for task, found in benchmark.changes(outcome).items()
        }
        for outcome in benchmark.table2[1:]
        if outcome.scores
    }
    if second:
        _bars(benchmark, second, paper["table2"], "change of mAP, points", "table2.png")

    _figure3(benchmark)
    sweeps = sweeps_by_parameter(benchmark)
    if not sweeps:
        return
    figure = Figure(figsize=(9, 3 * ((len(sweeps) + 1) // 2)), dpi=120)
    panels = figure.subplots((len(sweeps) + 1) // 2, 2, squeeze=False).ravel()
    for axis, (parameter, points) in zip(panels, sweeps.items(), strict=False):
        places = range(len(points))
        for number, task in enumerate(benchmark.tasks):
            for ads, style in (("test", "o-"), ("validation", "o:")):
                scores = [outcome.scores[task][ads]["map"] for _, outcome in points]
                axis.plot(places, scores, style, color=f"C{number}", ms=3, label=f"{task}, {ads}")
        values = [point.value for point, _ in points]
        axis.set_xticks(places, [f"{value:g}" for value in values])
        axis.axvline(values.index(chosen_value(points)), color="0.8", zorder=0)
        axis.set_xlabel(f"{parameter} (grey: chosen on the validation ads)", fontsize=9)
        axis.set_ylabel("mAP")
    panels[0].legend(fontsize=7)
    _save(benchmark, figure, "sweeps.png")


def _figure3(benchmark: Benchmark) -> None:
    """Draw the gain of HMAM on each tag, with the number of test ads that carry it."""
    from matplotlib.figure import Figure

    found = {task: gains(benchmark, task) for task in benchmark.tasks}
    longest = max(map(len, found.values()))
    if not longest:
        return
    figure = Figure(figsize=(5 * len(found), 0.22 * longest + 1.2), dpi=120)
    axes = figure.subplots(1, len(found), squeeze=False)[0]
    for axis, (task, bars) in zip(axes, found.items(), strict=True):
        rival = rival_of(benchmark, task)
        axis.barh([one.tag for one in bars], [one.gain for one in bars])
        for place, one in enumerate(bars):
            axis.annotate(f"{one.n_test:g}", (max(one.gain, 0), place), va="center", fontsize=7)
        axis.axvline(0, color="0.5", lw=0.8)
        axis.tick_params(labelsize=7)
        axis.invert_yaxis()
        above = rival.method.label if rival else "no rival"
        axis.set_title(f"{task}: average precision above {above}", fontsize=9)
    _save(benchmark, figure, "figure3.png")


def _bars(
    benchmark: Benchmark,
    rows: dict[str, dict[str, dict[str, float]]],
    paper: Figures,
    title: str,
    name: str,
) -> None:
    """Draw the mAP of each row as a bar, task by task, and the paper's as a stroke."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5 * len(benchmark.tasks), 0.4 * len(rows) + 1.5), dpi=120)
    axes = figure.subplots(1, len(benchmark.tasks), sharey=True, squeeze=False)[0]
    for axis, task in zip(axes, benchmark.tasks, strict=True):
        axis.barh(list(rows), [scores[task]["map"] for scores in rows.values()])
        theirs = [(label, paper[label][task][0]) for label in rows if task in paper.get(label, {})]
        if theirs:
            names, figures = zip(*theirs, strict=True)
            axis.plot(figures, names, "k|", ms=14, label="the paper")
            axis.legend(fontsize=7)
        axis.axvline(0, color="0.5", lw=0.8)
        axis.set_title(f"{task}: {title}", fontsize=10)
    axes[0].invert_yaxis()
    _save(benchmark, figure, name)


def _save(benchmark: Benchmark, figure: Any, name: str) -> None:
    figure.tight_layout()
    with written_whole(benchmark.folder / name) as temporary:
        figure.savefig(temporary, format="png")
