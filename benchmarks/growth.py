"""Level 2 on many ads: what nested selection takes; run as `python -m benchmarks.growth`.

    python -m benchmarks.growth [--ads N ...] [--learners NAME ...] [--jobs N] [--whole]

Ten models of 82 tags predict made-up ads (`benchmarks.level2_dnn`), in a file that is mapped into
memory. Each run is a process of its own. Without `--ads`: 50,000 ads and the candidates of `run`,
then a million with `pooled` and `dnn`. With `--whole` the same is chosen once more without dropping
any candidate on a part of the ads, to see whether the choice is the same. The table goes to
benchmarks/growth.md.
"""

import argparse
import multiprocessing
import os
import resource
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from joblib.externals.loky import get_reusable_executor

from benchmarks.level2_million import make_file
from competition.config.stages import CANDIDATES
from competition.evaluation.metrics import gap
from competition.level2.components.halving import MANY_ADS
from competition.level2.registry import get_meta_learner
from competition.level2.selection import nested_selection
from competition.utils.files import write_text

CASES = ((50_000, CANDIDATES), (1_000_000, ("pooled", "dnn")))
RESULT = Path(__file__).with_suffix(".md")
HEADER = """\
| ads | candidates | all fitted to all | minutes | processor minutes | peak |\
 dropped, on ads | outrun | chosen | OOF GAP |
|---:|---|---|---:|---:|---:|---|---|---|---:|"""


def measured(n_ads: int, learners: Sequence[str], jobs: int, many_ads: int) -> str:
    """Choose among meta-learners; return a row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        data = make_file(Path(folder) / "predictions", n_ads)
        candidates = {name: get_meta_learner(name).make() for name in learners}
        start = time.perf_counter()
        with Peak() as peak:
            found = nested_selection(candidates, data, n_jobs=jobs, many_ads=many_ads)
        minutes = (time.perf_counter() - start) / 60
    get_reusable_executor().shutdown()  # what its processes used counts when they have ended
    used = [resource.getrusage(of) for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    processor = sum(one.ru_utime + one.ru_stime for one in used) / 60
    dropped = ", ".join(f"{name} on {ads:,}" for name, ads in found.dropped.items()) or "none"
    return (
        f"| {n_ads:,} | {', '.join(learners)} | {'no' if n_ads >= many_ads else 'yes'} | "
        f"{minutes:.1f} | {processor:.1f} | {peak.bytes / 2**30:.1f} GiB | {dropped} | "
        f"{', '.join(found.outrun) or 'none'} | {', '.join(found.chosen)} | "
        f"{gap(data.labels, found.output.oof):.4f} |"
    )


class Peak(threading.Thread):
    """Measures the most memory that this process and those below it hold at a time.

    What several of them share, as a mapped file, counts once.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.bytes = 0
        self._over = threading.Event()

    def __enter__(self) -> "Peak":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        """Look twice a second."""
        while not self._over.wait(0.5):
            total, waiting = 0, [os.getpid()]
            while waiting:
                process = Path("/proc", str(waiting.pop()))
                try:
                    rolled = (process / "smaps_rollup").read_text()
                    total += 1024 * int(rolled.partition("\nPss:")[2].split()[0])
                    for thread in (process / "task").iterdir():
                        waiting += map(int, (thread / "children").read_text().split())
                except (OSError, IndexError):  # it has just ended
                    continue
            self.bytes = max(self.bytes, total)


def main(given: list[str] | None = None) -> None:
    """Measure, print and write the note."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ads", type=int, nargs="+")
    parser.add_argument("--learners", nargs="+", default=list(CANDIDATES))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--result", type=Path, default=RESULT)
    args = parser.parse_args(given)
    rows = []
    for n_ads, learners in [(n, args.learners) for n in args.ads] if args.ads else CASES:
        for many_ads in [min(MANY_ADS, n_ads), *([n_ads + 1] if args.whole else [])]:
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                task = pool.submit(measured, n_ads, learners, args.jobs, many_ads)
                rows.append(task.result())
            print(rows[-1], flush=True)
    listed = "\n".join(rows)
    text = f"""# Growth

## Level 2

Nested selection over ten models and 82 tags, {args.jobs} at a time. The peak is what all
processes hold at a time; pages of the mapped file, which the system may take back, count once
(3.1 GiB of a million ads).

{HEADER}
{listed}

## Level 1

[growth_level1.md](growth_level1.md): from 1,000 to 100,000 ads x 10 to 1,000 tags, model by model.
"""
    print(text)
    write_text(args.result, text)


if __name__ == "__main__":
    main()
