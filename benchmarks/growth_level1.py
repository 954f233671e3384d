"""Level 1 as ads and tags grow: seconds and memory of each stage of a run, model by model.

    python -m benchmarks.growth_level1 [--ads N ...] [--tags N ...] [--models NAME ...]
        [--limit SECONDS]

Made-up texts with metadata (`benchmarks.time_limit`), 3 folds, two tasks at a time. Each model is
run by the command line, alone, with nothing stored before. A run is stopped at the limit, and the
table says so; more ads and tags than that are not tried with this model. The table goes to
benchmarks/growth_level1.md.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.time_limit import make
from competition.pipeline.record import read_record
from competition.utils.files import write_text

RESULT = Path(__file__).with_suffix(".md")
MODELS = (
    *("tfidf_logreg", "tfidf_nblogreg", "tfidf_linearsvc"),
    *("shared_trees", "lightgbm", "xgboost"),
)
HEADER = """\
| ads | tags | model | reading, s | level 1, s | peak of level 1, GiB | the rest, s |\
 processor, s | GAP |
|---:|---:|---|---:|---:|---:|---:|---:|---:|"""


def row(ads: Path, model: str, limit: float) -> str | None:
    """Run one model; return the row of a table, but for its head; None if it was stopped."""
    before = _processor()
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "competition", "run", "--data", str(ads), "--out", out]
        command += ["--profile", "text", "--jobs", "2", "--set", "folds.n=3"]
        command += ["--set", f'models=["{model}"]', "--set", "level2.model=mean"]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=limit)
        except subprocess.TimeoutExpired:
            return None
        (path,) = Path(out).glob("oof/*/run.json")
        record = read_record(path)
    stages = {stage.name: stage for stage in record.stages}
    level1 = stages["level 1"]
    rest = record.seconds - stages["reading"].seconds - level1.seconds
    peak = (level1.peak_memory or 0) / 2**30
    return (
        f"{stages['reading'].seconds:.1f} | {level1.seconds:.1f} | {peak:.2f} | {rest:.1f} "
        f"| {_processor() - before:.0f} | {record.scores[model].gap:.4f} |"
    )


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(given: Sequence[str] | None = None) -> None:
    """Measure, print and write the note."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--ads", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--tags", type=int, nargs="+", default=[10, 100, 1_000])
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--limit", type=float, default=600)
    parser.add_argument("--result", type=Path, default=RESULT)
    args = parser.parse_args(given)
    rows = [
        "# Level 1 as ads and tags grow",
        "",
        f"`python -m benchmarks.growth_level1`: made-up texts with metadata, 3 folds, two tasks at "
        f"a time; a run is stopped after {args.limit:.0f} s.",
        "",
        HEADER,
    ]
    stopped: list[tuple[str, int, int]] = []
    for n_ads in args.ads:
        for n_tags in args.tags:
            with tempfile.TemporaryDirectory() as folder:
                ads = make(Path(folder) / "ads", n_ads, n_tags=n_tags)
                for model in args.models:
                    head = f"| {n_ads:,} | {n_tags:,} | `{model}` |"
                    if any(model == one and n_ads >= n and n_tags >= k for one, n, k in stopped):
                        rows.append(f"{head} not tried: stopped with fewer | | | | | |")
                    elif found := row(ads, model, args.limit):
                        rows.append(f"{head} {found}")
                    else:
                        rows.append(f"{head} stopped after {args.limit:.0f} s | | | | | |")
                        stopped.append((model, n_ads, n_tags))
                    print(rows[-1], flush=True)
                    write_text(args.result, "\n".join([*rows, ""]))


if __name__ == "__main__":
    main()
