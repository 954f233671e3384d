"""Level 2 on many ads: what nested selection takes; run as `python -m benchmarks.growth`.

    python -m benchmarks.growth [--ads N ...] [--learners NAME ...] [--jobs N] [--whole]

Ten models of 82 tags predict made-up ads (`benchmarks.level2_dnn`). Each run is a process of its
own. With `--whole` the same is chosen once more without dropping any candidate on a part of the
ads, to see whether the choice is the same. The table goes to benchmarks/growth.md.
"""

import argparse
import multiprocessing
import resource
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.level2_dnn import make_case
from competition.config.profile import CANDIDATES
from competition.evaluation.metrics import gap
from competition.level2.components.halving import MANY_ADS
from competition.level2.registry import get_meta_learner
from competition.level2.selection import nested_selection
from competition.utils.files import write_text

RESULT = Path(__file__).with_suffix(".md")
HEADER = """\
| ads | candidates | all fitted to all | minutes | processor minutes | peak |\
 dropped, on ads | outrun | chosen | OOF GAP |
|---:|---|---|---:|---:|---:|---|---|---|---:|"""


def measured(n_ads: int, learners: Sequence[str], jobs: int, many_ads: int) -> str:
    """Choose among meta-learners; return a row of the table."""
    data = make_case(n_ads)
    candidates = {name: get_meta_learner(name).make() for name in learners}
    start = time.perf_counter()
    found = nested_selection(candidates, data, n_jobs=jobs, many_ads=many_ads)
    minutes = (time.perf_counter() - start) / 60
    used = [resource.getrusage(of) for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    processor = sum(one.ru_utime + one.ru_stime for one in used) / 60
    peak = sum(one.ru_maxrss * n for one, n in zip(used, (1, jobs), strict=True)) / 2**20
    dropped = ", ".join(f"{name} on {ads:,}" for name, ads in found.dropped.items()) or "none"
    return (
        f"| {n_ads:,} | {', '.join(learners)} | {'no' if n_ads >= many_ads else 'yes'} | "
        f"{minutes:.1f} | {processor:.1f} | {peak:.1f} GiB | {dropped} | "
        f"{', '.join(found.outrun) or 'none'} | {', '.join(found.chosen)} | "
        f"{gap(data.labels, found.output.oof):.4f} |"
    )


def main(given: list[str] | None = None) -> None:
    """Measure, print and write the note."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ads", type=int, nargs="+", default=[50_000])
    parser.add_argument("--learners", nargs="+", default=list(CANDIDATES))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--result", type=Path, default=RESULT)
    args = parser.parse_args(given)
    rows = []
    for n_ads in args.ads:
        for many_ads in [min(MANY_ADS, n_ads), *([n_ads + 1] if args.whole else [])]:
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                task = pool.submit(measured, n_ads, args.learners, args.jobs, many_ads)
                rows.append(task.result())
            print(rows[-1], flush=True)
    listed = "\n".join(rows)
    text = f"""# Growth

## Level 2

Nested selection over ten models and 82 tags, {args.jobs} at a time. The peak is that of the process
that chooses plus, for each that fits beside it, the largest of these.

{HEADER}
{listed}
"""
    print(text)
    write_text(args.result, text)


if __name__ == "__main__":
    main()
