"""Memory of meta-learners on a million made-up ads; run as `python -m benchmarks.level2_million`.

The predictions of ten models, 3.3 GB, lie in a file that is mapped into memory, as
`competition.pipeline.stack_input` leaves them. Each meta-learner runs in a process of its own. The
table goes to benchmarks/level2_million.md.
"""

import multiprocessing
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.level2_dnn import make_case
from competition.evaluation.metrics import gap
from competition.level2.base import MetaLearner
from competition.level2.crossfit import cross_fit
from competition.level2.data import Ads, StackData
from competition.level2.learners.dnn import DNN
from competition.level2.learners.pooled import Pooled
from competition.utils.files import write_text

N_ADS, AT_ONCE = 1_000_000, 50_000
LEARNERS: dict[str, type[MetaLearner]] = {"pooled": Pooled, "dnn": DNN}


def make_file(path: Path, n_ads: int = N_ADS) -> StackData:
    """Write the predictions to a file, which the ads returned are mapped from."""
    chunks: list[StackData] = []
    for start in range(0, n_ads, AT_ONCE):
        chunk = make_case(min(AT_ONCE, n_ads - start), seed=start)
        shape = (n_ads, *chunk.ads.shape[1:])
        file = np.memmap(path, np.float32, "r+" if start else "w+", shape=shape)
        file[start : start + len(chunk.ads)] = chunk.ads.probabilities
        bare = Ads(chunk.ads.probabilities[:0], chunk.ads.metadata, chunk.ads.missing)
        chunks.append(replace(chunk, ads=bare))
    ads = Ads(
        np.memmap(path, np.float32, "r", shape=shape),
        pd.concat([chunk.ads.metadata for chunk in chunks], ignore_index=True),
        np.concatenate([chunk.ads.missing for chunk in chunks]),
    )
    return replace(
        chunks[0],
        ads=ads,
        labels=np.concatenate([chunk.labels for chunk in chunks]),
        fold=np.concatenate([chunk.fold for chunk in chunks]),
    )


def run(name: str, path: Path, data: StackData) -> tuple[float, float, float]:
    """OOF GAP, minutes and peak memory (GiB, pages of the file included) of a meta-learner."""
    file = np.memmap(path, np.float32, "r", shape=(N_ADS, *data.ads.shape[1:]))
    data = replace(data, ads=Ads(file, data.ads.metadata, data.ads.missing))
    start = time.perf_counter()
    oof = cross_fit(LEARNERS[name](), data).oof
    minutes = (time.perf_counter() - start) / 60
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return gap(data.labels, oof), minutes, peak


def main() -> None:
    """Print the table and write it to benchmarks/level2_million.md."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "predictions"
        data = make_file(path)
        mean = gap(data.labels, data.ads.probabilities.mean(axis=1))
        # A mapped array would be pickled as a whole: its process maps the file itself.
        unmapped = Ads(data.ads.read(slice(0)), data.ads.metadata, data.ads.missing)
        data = replace(data, ads=unmapped)
        for name in LEARNERS:
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                score, minutes, peak = pool.submit(run, name, path, data).result()
            rows.append(f"| {name} | {score:.4f} | {minutes:.1f} | {peak:.1f} |")
    lines = [
        "# A million ads",
        "",
        f"Made by `python -m benchmarks.level2_million`: {N_ADS:,} ads, {data.ads.shape[1]} "
        f"models, {data.ads.shape[2]} tags, {len(data.folds)} folds, one thread. Peak memory "
        "counts the pages of the mapped file, 3.1 GiB, which the system may take back.",
        "",
        f"OOF GAP of the plain mean: {mean:.4f}.",
        "",
        "| meta-learner | OOF GAP | minutes | peak memory, GiB |",
        "|---|---|---|---|",
        *rows,
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    write_text(Path(__file__).with_suffix(".md"), text)


if __name__ == "__main__":
    main()
