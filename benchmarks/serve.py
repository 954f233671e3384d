"""Requests a second of a saved stack behind HTTP: `python -m benchmarks.serve [--ads N]`.

A stack of the demo's ads, with `--keep refit`, is served by a process of its own. Sixteen clients
ask for one ad each, again and again: texts alone, then texts with the film, of which the service is
told a path. Beside it stands the same stack in this process, asked for one ad after another.
Nothing is cached: the service keeps no features, and every film is decoded anew. The table goes to
benchmarks/serve.md.
"""

import argparse
import http.client
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from competition import load_dataset, load_profile, load_stack, make_demo, run, save_stack
from competition.utils.files import write_text

RESULT = Path(__file__).with_suffix(".md")
CLIENTS = 16
FILMS = 8  # a request for a film costs as much as so many for texts, so there are fewer


@contextmanager
def served(stack: Path, files: Path, workers: int) -> Iterator[int]:
    """Serve a stack, and yield the port."""
    call = [sys.executable, "-m", "competition", "serve", str(stack), "--port", "0"]
    call += ["--files", str(files), "--workers", str(workers)]
    process = subprocess.Popen(call, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.search(r"http://[^ ]+:(\d+)", line):
                yield int(found[1])
                break
        else:
            raise RuntimeError(f"{' '.join(call)} has ended with status {process.wait()}.")
    finally:
        process.terminate()
        process.wait()


def asked(port: int, ads: Sequence[dict[str, Any]]) -> np.ndarray:
    """Seconds of each request, `CLIENTS` at a time; at the end the seconds of all together."""

    def ask(ad: dict[str, Any]) -> float:
        start = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        connection.request(
            "POST", "/predict", json.dumps(ad).encode(), {"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"Status {answer.status}: {body.decode()}")
        return time.perf_counter() - start

    ask(ads[0])  # the first one loads what is loaded late
    start = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        each = list(pool.map(ask, ads))
    return np.array([*each, time.perf_counter() - start])


def one_by_one(stack: Path, frame: pd.DataFrame, root: Path) -> np.ndarray:
    """The same of a stack in this process, one ad after another."""
    loaded, each = load_stack(stack, n_jobs=1), []
    loaded.predict_proba(frame[:1], root=root)
    for place in range(len(frame)):
        start = time.perf_counter()
        loaded.predict_proba(frame[place : place + 1], root=root)
        each.append(time.perf_counter() - start)
    return np.array([*each, sum(each)])


def row(what: str, how: str, found: np.ndarray) -> str:
    """A line of the table."""
    each, whole = found[:-1], found[-1]
    p50, p99 = (1000 * np.percentile(each, percent) for percent in (50, 99))
    return f"| {what} | {how} | {len(each)} | {len(each) / whole:.1f} | {p50:.0f} | {p99:.0f} |"


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and write the note."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ads", type=int, default=200, help="ads of the demo")
    parser.add_argument("--requests", type=int, default=400, help="for texts alone")
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--result", type=Path, default=RESULT)
    args = parser.parse_args(arguments)
    rows = [
        "| ad | asked | requests | a second | p50, ms | p99, ms |",
        "|---|---|---:|---:|---:|---:|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        data, stack = Path(folder, "ads"), Path(folder, "stack")
        make_demo(data, args.ads)
        save_stack(run(data, load_profile(args.profile), folder, keep="refit"), stack, keep="refit")
        dataset = load_dataset(data)
        kinds = {"texts": ("text",), "texts and film": ("text", "video")}
        for what, wanted in kinds.items():
            columns = [
                column
                for given in dataset.inputs.values()
                if given.kind in wanted
                for column in given.columns
            ]
            n = args.requests if what == "texts" else max(1, args.requests // FILMS)
            rng = np.random.default_rng(0)
            drawn = dataset.ads.loc[rng.choice(dataset.train_ids, n), columns].astype(object)
            drawn.index = pd.Index([f"new {place}" for place in range(n)], name="id")
            ads = drawn.reset_index().to_dict("records")
            rows.append(row(what, "one by one in this process", one_by_one(stack, drawn, data)))
            for workers in (1, 2):
                with served(stack, data, workers) as port:
                    how = f"{CLIENTS} clients, {workers} worker{'s' if workers > 1 else ''}"
                    rows.append(row(what, how, asked(port, ads)))
        models = ", ".join(load_stack(stack).manifest.models)
    text = f"""# Serving

A stack of {args.ads} ads of the demo, one fit of each model ({models}).

{chr(10).join(rows)}

`python -m benchmarks.serve` writes this page.
"""
    print(text)
    write_text(args.result, text)


if __name__ == "__main__":
    main()
