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
from competition.level2.base import MetaLearner, StackInput
from competition.level2.learners.dnn import DNN
from competition.level2.learners.pooled import Pooled
from competition.utils.files import write_text

N_ADS, AT_ONCE = 1_000_000, 50_000
LEARNERS: dict[str, type[MetaLearner]] = {"pooled": Pooled, "dnn": DNN}


def make_file(path: Path) -> StackInput:
    """Write the predictions to a file; return what belongs to them, without predictions."""
    parts: list[StackInput] = []
    for start in range(0, N_ADS, AT_ONCE):
        part = make_case(AT_ONCE, seed=start)
        shape = (N_ADS, *part.train.shape[1:])
        file = np.memmap(path, np.float32, "r+" if start else "w+", shape=shape)
        file[start : start + AT_ONCE] = part.train
        parts.append(replace(part, train=part.train[:0], test=part.train[:0]))
    return replace(
        parts[0],
        train_metadata=pd.concat([part.train_metadata for part in parts], ignore_index=True),
        train_missing=np.concatenate([part.train_missing for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        fold=np.concatenate([part.fold for part in parts]),
    )


def run(name: str, path: Path, data: StackInput) -> tuple[float, float, float]:
    """OOF GAP, minutes and peak memory (GiB, pages of the file included) of a meta-learner."""
    shape = (N_ADS, *data.train.shape[1:])
    data = replace(data, train=np.memmap(path, np.float32, "r", shape=shape))
    start = time.perf_counter()
    oof = LEARNERS[name]().cross_fit(data, n_jobs=1).oof
    minutes = (time.perf_counter() - start) / 60
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return gap(data.labels, oof), minutes, peak


def main() -> None:
    """Print the table and write it to benchmarks/level2_million.md."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "predictions"
        data = make_file(path)
        for name in LEARNERS:
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                score, minutes, peak = pool.submit(run, name, path, data).result()
            rows.append(f"| {name} | {score:.4f} | {minutes:.1f} | {peak:.1f} |")
        file = np.memmap(path, np.float32, "r", shape=(N_ADS, *data.train.shape[1:]))
        mean = gap(data.labels, file.mean(axis=1))
    lines = [
        "# A million ads",
        "",
        f"Made by `python -m benchmarks.level2_million`: {N_ADS:,} ads, {data.train.shape[1]} "
        f"models, {data.train.shape[2]} tags, {len(data.folds)} folds, one thread. Peak memory "
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
