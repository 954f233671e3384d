"""What a million ads and a film cost, for the arithmetic of docs/scale.md.

    python -m benchmarks.scale [--ads N] [--tags N] [--films N]

Ads are made up: ids, texts, labels and predictions of so many rows; films are the demo's. Seconds
and bytes of each step go to benchmarks/scale.md.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from competition import extract, gap, load_dataset, load_profile, make_demo
from competition.folds import make_folds
from competition.utils.files import write_text

RESULT = Path(__file__).with_suffix(".md")
TOML = """\
name = "many"
train = "train.csv"
id = "id"

[[tags]]
column = "tags"
dimension = "topic"

[inputs.text]
kind = "text"
column = "text"
"""


def size(path: Path) -> int:
    """Bytes of a file, or of all files of a folder."""
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(one.stat().st_size for one in files)


def peak() -> float:
    """GiB that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


class Table:
    """Steps, one a row."""

    def __init__(self) -> None:
        self.rows: list[str] = []

    def step(self, name: str, n: int, work: Callable[[], object], what: object = None) -> object:
        """Time a step over `n` ads; `what` says how many bytes it leaves, or where."""
        start = time.perf_counter()
        result = work()
        seconds = time.perf_counter() - start
        left = size(what) if isinstance(what, Path) else what
        per_ad = "" if left is None else f"{int(left) / n:,.1f}"  # type: ignore[call-overload]
        self.rows.append(
            f"| {name} | {n:,} | {seconds:.2f} | {1e6 * seconds / n:,.1f} | {per_ad} |"
            f" {peak():.1f} |"
        )
        print(self.rows[-1], flush=True)
        return result


def measure(folder: Path, n_ads: int, n_tags: int, n_films: int) -> list[str]:
    """Measure all steps."""
    table, rng = Table(), np.random.default_rng(0)
    films = folder / "films"
    make_demo(films, n_films, 0, test_ads=1, n_jobs=2)
    table.step(
        "films: thumbnails, log-mel and media metadata, one process",
        n_films,
        lambda: extract(films, load_profile("demo"), folder / "out", n_jobs=1),
        folder / "out" / "cache",
    )
    ids = np.array([f"ad{number:09d}" for number in range(n_ads)])
    index = pd.Index(ids)
    held = index.memory_usage(deep=True)
    table.step("ids: pandas index, rows found by id", n_ads, lambda: index.get_indexer(ids), held)
    tags = np.array([f"t{number:04d}" for number in range(n_tags)])
    texts = [" ".join(words) for words in rng.choice(tags, (n_ads, 12))]
    frame = pd.DataFrame({"id": ids, "text": texts, "tags": rng.choice(tags, n_ads)})
    ads = folder / "ads"
    ads.mkdir()
    (ads / "competition.toml").write_text(TOML, encoding="utf-8")
    frame.to_csv(ads / "train.csv", index=False)
    dataset = table.step("ads: table read and checked", n_ads, lambda: load_dataset(ads), ads)
    labels = dataset.labels  # type: ignore[attr-defined]
    table.step("labels: dense, uint8", n_ads, lambda: labels.sum(), labels.nbytes)
    table.step("folds: stratified", n_ads, lambda: make_folds(dataset, 5, 0))  # type: ignore[arg-type]
    scores = rng.random((n_ads, n_tags), dtype=np.float32)
    path = folder / "oof.parquet"

    def write() -> None:
        columns = {"id": ids, **{tag: scores[:, n] for n, tag in enumerate(tags)}}
        pq.write_table(pa.table(columns), path, compression="zstd")

    table.step("predictions of a model: Parquet, written", n_ads, write, path)
    table.step("the same, read", n_ads, lambda: pd.read_parquet(path), scores.nbytes)
    table.step("GAP of a model", n_ads, lambda: gap(labels, scores))
    return table.rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--ads", type=int, default=1_000_000)
    parser.add_argument("--tags", type=int, default=82)
    parser.add_argument("--films", type=int, default=100)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), given.ads, given.tags, given.films)
    head = [
        f"# A million ads, a film: {given.ads:,} ads x {given.tags} tags, {given.films} films",
        "",
        "`python -m benchmarks.scale`, one process. [What follows from it](../docs/scale.md).",
        "",
        "| step | ads | seconds | µs an ad | bytes an ad | peak GiB |",
        "|---|---|---|---|---|---|",
    ]
    write_text(RESULT, "\n".join([*head, *rows, ""]))


if __name__ == "__main__":
    main()
