"""Regret of a stack: how much better the best way of combining its models would have been.

    python -m benchmarks.regret [--problems N] [--largest ROWS] [--learners A,B] [--lines FILE]

Problems are drawn by seed (`benchmarks.regret_problems`). For each, the default of `stack` is
fitted to one half of the rows and scored on the other, beside every meta-learner, the best single
model and rivals. A line of JSON a problem is added to FILE; problems that stand there are not run
again, so the command may be stopped at any time. The tables are written to cache/regret.md; a third
of the problems, those of every third seed, is reported apart and was not looked at while the stack
was made. The note beside this file holds such tables, and what is to be said of them.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.regret_problems import (
    DATA,
    FEWEST,
    Problem,
    failing_problem,
    make_problem,
    reserved,
)
from benchmarks.regret_rivals import cross_validated_greedy, stacking_classifier
from competition.evaluation.bootstrap import resampled
from competition.evaluation.gain import gain_over_best
from competition.evaluation.metrics import gap, gap_mean_of_folds, mean_average_precision
from competition.level2.components.leaked import fill_leaked_and_lacking
from competition.level2.data import Ads, StackData
from competition.level2.kept import KeptCrossFits
from competition.level2.registry import find_meta_learners, get_meta_learner
from competition.level2.selection import nested_selection
from competition.saved.calibration import calibrate
from competition.saved.refit import rescaled
from competition.utils.files import write_text

RESULT = Path("cache/regret.md")
STACK, BEST_SINGLE = "the stack", "best single"
RIVALS = {
    "StackingClassifier": stacking_classifier,
    "cross-validated greedy": cross_validated_greedy,
}


def without_leaks(problem: Problem) -> tuple[StackData, Ads]:
    """Replace folds that a model predicts suspiciously well, as `stack` does."""
    data, test = problem.data, problem.test
    train, tests = data.ads.probabilities.copy(), test.probabilities.copy()
    fill_leaked_and_lacking(train, tests, data.labels, data.fold, data.top_k, {})
    return replace(data, ads=Ads(train, data.ads.metadata, data.ads.missing)), test


def run_problem(problem: Problem, learners: list[str]) -> dict[str, Any]:
    """Scores of the stack, its candidates and its rivals on the half that they did not see."""
    data, test, truth = *without_leaks(problem), problem.truth
    candidates = {name: get_meta_learner(name).make() for name in learners}
    start = time.process_time()
    with TemporaryDirectory() as folder:
        kept = KeptCrossFits(Path(folder), dict.fromkeys(candidates, ""))
        found = nested_selection(candidates, data, test, kept=kept)
        seconds = time.process_time() - start
        whole = {name: kept.read(name, None) for name in found.gaps}
    stack = found.output.fold_test.mean(axis=0)
    moved = rescaled(stack, calibrate(data.labels, found.output.oof, data.fold).scale)
    predicted = {STACK: stack}
    for name, one in whole.items():
        if one is not None and one.predictions is not None:
            predicted[name] = one.predictions.fold_test.mean(axis=0)
    models = data.ads.probabilities
    best = int(np.argmax([gap(data.labels, models[:, m]) for m in range(models.shape[1])]))
    single = test.probabilities[:, best]
    predicted[BEST_SINGLE] = single
    for name, rival in RIVALS.items():
        predicted[name] = rival(data, test)
    gain = gain_over_best(
        "gap",
        data.labels,
        found.output.oof,
        models,
        data.fold,
        data.top_k,
        group=data.group,
    )
    resamples = {
        name: resampled(truth, predicted[name], data.top_k, 200, 0, problem.group).resamples
        for name in (STACK, BEST_SINGLE, "mean")
        if name in predicted
    }
    errors = {
        name: float((resamples[STACK] - of).std(ddof=1))
        for name, of in resamples.items()
        if name != STACK
    }
    return {
        "seed": problem.seed,
        "pool": problem.pool,
        "injected": list(problem.injected),
        "shape": list(data.ads.shape),
        "gap": {name: gap(truth, one) for name, one in predicted.items()},
        "map": {name: mean_average_precision(truth, one) for name, one in predicted.items()},
        "oof": gap(data.labels, found.output.oof),
        "oof_folds": gap_mean_of_folds(data.labels, found.output.oof, data.fold),
        "oof_candidates": found.gaps,
        "gain": [gain.value, gain.low, gain.high],
        "errors": errors,
        "calibration": [calibration_error(truth, one) for one in (single, stack, moved)],
        "outrun": list(found.outrun),
        "seconds": seconds,
    }


def calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error over all (row, tag) pairs, in bins of equal numbers of pairs."""
    order = np.argsort(probabilities, axis=None, kind="stable")
    values, hits = probabilities.ravel()[order], labels.ravel()[order]
    parts = zip(np.array_split(values, bins), np.array_split(hits, bins), strict=True)
    return float(sum(abs(v.mean() - h.mean()) * len(v) for v, h in parts if len(v)) / len(values))


def report(lines: list[dict[str, Any]]) -> str:
    """The note: looked-at and reserved problems, and what each way of combining scores."""
    text = ["# Regret of the stack", ""]
    for title, of in (
        ("Problems that were looked at", [one for one in lines if not reserved(one["seed"])]),
        ("The reserved third", [one for one in lines if reserved(one["seed"])]),
    ):
        if of:
            text += [f"## {title}: {len(of)}", "", *_summary(of), ""]
    return "\n".join(text)


def _summary(lines: list[dict[str, Any]]) -> list[str]:
    oracles = {
        metric: np.array(
            [max(v for name, v in one[metric].items() if name != STACK) for one in lines]
        )
        for metric in ("gap", "map")
    }
    rows = [
        "| | problems | GAP | regret: mean | 95th percentile | worst | mAP | regret: mean |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    names = sorted({name for one in lines for name in one["gap"]}, key=lambda n: (n != STACK, n))
    for name in names:
        has = np.array([name in one["gap"] for one in lines])
        of = [one for one in lines if name in one["gap"]]
        values = {m: np.array([one[m][name] for one in of]) for m in ("gap", "map")}
        regret = {m: oracles[m][has] - values[m] for m in values}
        rows.append(
            f"| {name} | {len(of)} | {values['gap'].mean():.4f} | {regret['gap'].mean():.4f} | "
            f"{np.quantile(regret['gap'], 0.95):.4f} | {regret['gap'].max():.4f} | "
            f"{values['map'].mean():.4f} | {regret['map'].mean():.4f} |"
        )
    worse = {
        rival: np.mean(
            [
                one["gap"][STACK] < one["gap"][rival] - 2 * one["errors"][rival]
                for one in lines
                if rival in one["errors"]
            ]
        )
        for rival in (BEST_SINGLE, "mean")
    }
    true_gain = np.array([one["gap"][STACK] - one["gap"][BEST_SINGLE] for one in lines])
    gain = np.array([one["gain"] for one in lines])
    error = np.array([one["errors"][BEST_SINGLE] for one in lines])
    covers = (gain[:, 1] <= true_gain) & (true_gain <= gain[:, 2])
    both = np.hypot((gain[:, 2] - gain[:, 1]) / 2, 1.96 * error)
    within = np.abs(gain[:, 0] - true_gain) <= both
    before, after, moved = np.mean([one["calibration"] for one in lines], axis=0)
    seconds = [one["seconds"] for one in lines]
    lost = np.mean([one["oof_folds"] - one["oof"] for one in lines])
    return [
        *rows,
        "",
        f"- worse than the best single model by more than 2 standard errors: "
        f"{worse[BEST_SINGLE]:.1%}; than the plain mean: {worse['mean']:.1%}",
        f"- the printed interval of the gain covers the gain on the other half: {covers.mean():.1%}"
        f"; with the noise of that half taken into account: {within.mean():.1%}",
        f"- calibration error of the best single model {before:.4f}, of the stack {after:.4f}, "
        f"of the stack as --calibrated moves it {moved:.4f}",
        f"- OOF GAP, mean of folds less all in one list: {lost:.4f}",
        f"- processor seconds of a stack: mean {np.mean(seconds):.1f}, most {max(seconds):.1f}",
    ]


def at_least(least: int) -> Callable[[str], int]:
    """Read a whole number that is no smaller."""

    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"{text} is less than {least}")
        return int(text)

    return number


def stored_lines(path: Path) -> list[dict[str, Any]]:
    """Problems of a file; a last line that was cut while it was written is taken off."""
    if not path.exists():
        return []
    whole, _, cut = path.read_text("utf-8").rpartition("\n")
    if cut:
        write_text(path, whole + "\n" if whole else "")
    return [json.loads(line) for line in whole.splitlines()]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--problems", type=at_least(1), default=1000)
    parser.add_argument("--largest", type=at_least(FEWEST), default=800, help="most training rows")
    parser.add_argument("--learners", help="names with commas (default: all that are registered)")
    parser.add_argument("--lines", type=Path, default=Path("cache/regret.jsonl"))
    parser.add_argument("--result", type=Path, default=RESULT)
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no problem after these")
    parser.add_argument("--failing", action="store_true", help="the pools that selection lost on")
    given = parser.parse_args(arguments)
    warnings.filterwarnings("ignore")
    known = find_meta_learners()
    learners = [one.strip() for one in given.learners.split(",")] if given.learners else known
    if unknown := [one for one in learners if one not in known]:
        parser.error(f"--learners: {', '.join(unknown)}: choose from {', '.join(known)}")
    settings = {"failing": given.failing, "largest": given.largest, "learners": learners}
    settings["real data"] = DATA.is_dir()
    given.lines.parent.mkdir(parents=True, exist_ok=True)
    done = stored_lines(given.lines)
    if other := next((one for one in done if one.get("settings") != settings), None):
        parser.error(
            f"{given.lines} holds problems of other settings, {other.get('settings')}: name "
            "another file by --lines"
        )
    done = [one for one in done if one["seed"] < given.problems]
    start = time.monotonic()
    for seed in range(given.problems):
        if time.monotonic() - start > 60 * given.minutes:
            break
        if any(one["seed"] == seed for one in done):
            continue
        problem = failing_problem(seed) if given.failing else make_problem(seed, given.largest)
        training = problem.data
        tagged = np.unique(training.fold[training.labels.any(axis=1)])
        if not problem.truth.any() or len(tagged) < len(training.folds):
            continue  # there is nothing to score, or nothing in a fold
        done.append(run_problem(replace(problem, seed=seed), learners) | {"settings": settings})
        with given.lines.open("a", encoding="utf-8") as file:
            file.write(json.dumps(done[-1]) + "\n")
    text = report(done)
    print(text)
    write_text(given.result, text)


if __name__ == "__main__":
    main()
