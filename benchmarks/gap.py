"""Time and memory of `competition.evaluation.metrics.gap`; run as `python -m benchmarks.gap`.

The rival is the average precision of the YouTube-8M starter code in form: plain Python that pushes
every tag of every ad on a heap, then pops them best first. The table goes to benchmarks/gap.md.
"""

import heapq
import multiprocessing
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from competition.evaluation.metrics import gap
from competition.utils.files import write_text

N_TAGS = 82
TOP_K = 20
REPEATS = 5


def gap_by_heaps(labels: np.ndarray, scores: np.ndarray, top_k: int = TOP_K) -> float:
    """GAP with a heap per ad and a heap for the list of all ads; ties fall as they come."""
    pool: list[tuple[float, int]] = []
    n_true = 0
    for ad_labels, ad_scores in zip(labels.tolist(), scores.tolist(), strict=True):
        n_true += sum(ad_labels)
        best: list[tuple[float, int]] = []
        for tag_score, label in zip(ad_scores, ad_labels, strict=True):
            heapq.heappush(best, (-tag_score, label))
        for _ in range(min(top_k, len(best))):
            heapq.heappush(pool, heapq.heappop(best))
    hits, total = 0, 0.0
    for rank in range(1, len(pool) + 1):
        if heapq.heappop(pool)[1]:
            hits += 1
            total += hits / rank
    return total / n_true


def make_case(n_ads: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels (uint8) at the rates of real ads, and float32 scores that know something of them."""
    rng = np.random.default_rng(0)
    rates = np.linspace(0.005, 0.3, N_TAGS, dtype=np.float32)
    scores = rng.random((n_ads, N_TAGS), dtype=np.float32)
    labels = (scores < rates).astype(np.uint8)
    scores *= -0.8
    scores += 1
    # Ads without the tags that their scores promise: no ranking is perfect.
    labels[rng.random(n_ads) < 0.2] = 0
    return labels, scores


def fastest(measured: Callable[[], float], repeats: int) -> tuple[float, float]:
    """Shortest of `repeats` times in seconds, and the result."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = measured()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def peak_of_a_million() -> tuple[float, float]:
    """Seconds for 1,000,000 ads, and the peak memory of this whole process in GiB."""
    labels, scores = make_case(1_000_000)
    seconds, _ = fastest(lambda: gap(labels, scores, TOP_K), repeats=1)
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Measure, print the table and write it."""
    labels, scores = make_case(5_000)
    tied = np.round(scores, 2)
    rows = ["| ads x tags | scores | heaps (s) | ours (s) | ratio |", "|---|---|---|---|---|"]
    for name, values in {"distinct": scores, "two decimals": tied}.items():
        naive, expected = fastest(lambda values=values: gap_by_heaps(labels, values), REPEATS)
        ours, result = fastest(lambda values=values: gap(labels, values, TOP_K), 4 * REPEATS)
        if name == "distinct" and not np.isclose(result, expected, rtol=0, atol=1e-6):
            raise SystemExit(f"The two disagree: {result} and {expected}.")
        rows.append(
            f"| 5,000 x {N_TAGS} | {name} | {naive:.3f} | {ours:.4f} | {naive / ours:.0f} |"
        )
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        seconds, peak = pool.apply(peak_of_a_million)
    table = "\n".join(
        [
            "# GAP",
            "",
            *rows,
            "",
            f"1,000,000 x {N_TAGS} float32 in a fresh process: {seconds:.1f} s, peak memory "
            f"{peak:.2f} GiB including the arrays.",
            "",
            "Fastest of several runs on one core. `python -m benchmarks.gap` writes this page.",
        ]
    )
    print(table)
    write_text(Path(__file__).with_suffix(".md"), table + "\n")


if __name__ == "__main__":
    main()
