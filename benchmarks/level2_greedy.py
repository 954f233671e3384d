"""Speed of ensemble selection; run as `python -m benchmarks.level2_greedy`.

200 models of 5,000 made-up ads and 82 tags: one selection over all ads, then the cross-fitted stack
of 5 folds. The table goes to benchmarks/level2_greedy.md.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from competition.evaluation.metrics import gap
from competition.level2.crossfit import StackOutput, cross_fit
from competition.level2.data import Ads, StackData
from competition.level2.learners.greedy import Greedy, candidate_gaps, select
from competition.utils.files import write_text

N_ADS, N_MODELS, N_TAGS, N_FOLDS = 5000, 200, 82, 5
COMPARED = 10
TOP_K = 20


def make_case() -> StackData:
    """Models that differ in noise, in scale and in how many errors they share with the next."""
    rng = np.random.default_rng(0)
    rate = np.sort(rng.beta(0.4, 2.5, N_TAGS)).clip(0.004, 0.95)
    truth = np.log(rate / (1 - rate)) + 2 * rng.normal(size=(N_ADS, N_TAGS))
    probabilities = np.empty((N_ADS, N_MODELS, N_TAGS), dtype=np.float32)
    for model in range(N_MODELS):
        if model % 10 == 0:
            shared = rng.normal(size=truth.shape)
        noise = (shared + rng.normal(size=truth.shape)) * rng.uniform(0.7, 3)
        probabilities[:, model] = 1 / (1 + np.exp(-(truth + noise) * rng.uniform(0.5, 1.5)))
    none = pd.DataFrame(index=range(N_ADS))
    return StackData(
        models=tuple(f"model_{m}" for m in range(N_MODELS)),
        reads=np.zeros((N_MODELS, 0), dtype=bool),
        ads=Ads(probabilities, none, np.zeros((N_ADS, 0), dtype=bool)),
        labels=(rng.random(truth.shape) < 1 / (1 + np.exp(-truth))).astype(np.uint8),
        fold=rng.permutation(np.arange(N_ADS) % N_FOLDS),
        top_k=TOP_K,
    )


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Wall-clock and processor seconds of a piece of work."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    """Print the table and write it to benchmarks/level2_greedy.md."""
    data, learner = make_case(), Greedy()
    models = data.ads.probabilities
    some = np.ascontiguousarray(models[:, :COMPARED].transpose(1, 0, 2))
    empty = np.zeros_like(some[0])
    candidate_gaps(empty, 0, some[:1], data.labels, TOP_K)  # compiles
    exact = [gap(data.labels, models[:, m]) for m in range(COMPARED)]
    fast = candidate_gaps(empty, 0, some, data.labels, TOP_K)
    slow = seconds(lambda: [gap(data.labels, model) for model in some])[1] / COMPARED
    quick = seconds(lambda: candidate_gaps(empty, 0, some, data.labels, TOP_K))[1] / COMPARED
    output: list[StackOutput] = []
    works: dict[str, Callable[[], object]] = {
        f"one selection, {n} thread(s)": lambda n=n: select(
            models, data.labels, learner.start, learner.rounds, TOP_K, n
        )
        for n in (1, 2)
    }
    works[f"{N_FOLDS} folds cross-fitted, 2 threads"] = lambda: output.append(
        cross_fit(learner, replace(data, n_threads=2))
    )
    rows = []
    for name, work in works.items():
        wall, processor = seconds(work)
        rows.append(f"| {name} | {wall:.1f} | {processor:.1f} |")
    best = max(gap(data.labels, models[:, m]) for m in range(N_MODELS))
    mean = gap(data.labels, models.mean(axis=1))
    stacked = gap(data.labels, output[0].oof)
    lines = [
        "# Ensemble selection",
        "",
        f"Made by `python -m benchmarks.level2_greedy`: {N_MODELS} models, {N_ADS:,} ads, {N_TAGS} "
        f"tags, {learner.rounds} rounds after a start of up to {learner.start}. Where other work "
        "shares the cores, processor seconds tell more than the clock.",
        "",
        "| work | wall-clock s | processor s |",
        "|---|---|---|",
        *rows,
        "",
        f"GAP of one candidate takes {1e3 * quick:.2f} ms of a processor, by `metrics.gap` "
        f"{1e3 * slow:.1f} ms: ratio {slow / quick:.0f}. The two differ by at most "
        f"{np.abs(fast - exact).max():.1e}.",
        "",
        f"OOF GAP: best model {best:.4f}, plain mean {mean:.4f}, greedy {stacked:.4f}.",
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    write_text(Path(__file__).with_suffix(".md"), text)


if __name__ == "__main__":
    main()
