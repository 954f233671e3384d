"""Runs with a time limit: when they end, what they leave out; and what each quality costs.

    python -m benchmarks.time_limit [--data DIR --profile NAME] [--ads N] [--limit TIME] [--jobs N]
    python -m benchmarks.time_limit --qualities DIR [--profile NAME] [--out DIR]

DIR is a folder of ads, such as film posters; beside it, made-up texts with metadata are run. Each
command is a process of its own, timed from its start to its end, the page included. The same
command is given twice: the second one obeys the plan of the first. The tables go to
benchmarks/time_limit.md; the second form replaces the last of them, by runs of each quality.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from competition.oof.cards import read_card
from competition.pipeline.record import RunRecord, read_record
from competition.utils.files import write_text

RESULT = Path(__file__).with_suffix(".md")
N_TAGS = 20
QUALITIES = "## Qualities"
WORDS = 4_000
TOML = """\
name = "made_up"
train = "train.csv"
test = "test.csv"
id = "id"

[[tags]]
column = "tags"
dimension = "topic"
separator = "|"

[inputs.text]
kind = "text"
column = "text"

[inputs.about]
kind = "metadata"
columns = ["length", "channel"]
"""


@dataclass(frozen=True)
class Case:
    """A run: what it is called, its ads and its profile."""

    name: str
    data: Path
    profile: str


def make(folder: Path, n_ads: int, seed: int = 0, n_tags: int = N_TAGS) -> Path:
    """Write ads whose words and channel hang on their tags; a fifth more are test ads.

    An ad has three to four tags, however many there are.
    """
    rng = np.random.default_rng(seed)
    n = n_ads + n_ads // 5
    likely = rng.uniform(0.02, 0.25, n_tags) * N_TAGS / n_tags
    labels = rng.random((n, n_tags)) < likely
    labels[np.arange(n), rng.integers(n_tags, size=n)] = True
    common = 1 / np.arange(1, WORDS + 1)
    own = rng.choice(WORDS, (n_tags, 60))
    words = np.array([f"w{i}" for i in range(WORDS)])
    texts = []
    for tags in labels:
        drawn = rng.choice(WORDS, rng.integers(20, 60), p=common / common.sum())
        about = rng.choice(own[tags].ravel(), rng.integers(3, 12))
        texts.append(" ".join(words[rng.permutation(np.concatenate([drawn, about]))]))
    channel = np.where(rng.random(n) < 0.5, labels.argmax(axis=1) % 5, rng.integers(5, size=n))
    names = np.array([f"t{i}" for i in range(n_tags)])
    frame = pd.DataFrame(
        {
            "id": [f"ad{i}" for i in range(n)],
            "text": texts,
            "length": [len(text) for text in texts],
            "channel": [f"c{i}" for i in channel],
            "tags": ["|".join(names[tags]) for tags in labels],
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    frame[:n_ads].to_csv(folder / "train.csv", index=False)
    frame[n_ads:].drop(columns="tags").to_csv(folder / "test.csv", index=False)
    (folder / "competition.toml").write_text(TOML, encoding="utf-8")
    return folder


def run(case: Case, out: Path, jobs: int, limit: str) -> tuple[float, RunRecord]:
    """Run a case as a process of its own; return its seconds and its record."""
    command = [sys.executable, "-m", "competition", "run", "--data", case.data, "--out", out]
    command += ["--profile", case.profile, "--jobs", jobs, "--time-limit", limit]
    start = time.perf_counter()
    subprocess.run(list(map(str, command)), check=True, env={**os.environ, "COLUMNS": "160"})
    seconds = time.perf_counter() - start
    (path,) = out.glob("oof/*/run.json")
    return seconds, read_record(path)


def digests(out: Path) -> dict[str, str]:
    """Digests of all predictions and submissions."""
    files = [*out.glob("oof/*/*/oof.parquet"), *out.glob("submissions/*[!d].[cj]s*")]
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def row(case: Case, out: Path, jobs: int, limit: str) -> str:
    """Run a case twice; describe it in the lines of the note."""
    first, record = run(case, out, jobs, limit)
    before = digests(out)
    again, _ = run(case, out, jobs, limit)
    plan = record.plan.time
    assert plan is not None
    stages = ", ".join(f"{stage.name} {stage.seconds:.0f}" for stage in record.stages)
    left_out = [
        f"  - {kind} `{name}`: {why}"
        for kind, gone in (
            ("feature", plan.features),
            ("model", plan.models),
            ("meta-learner", plan.learners),
        )
        for name, why in gone.items()
    ]
    models = [name for name in record.scores if not name.startswith("stack-")]
    page = first - record.seconds
    return f"""## {case.name}

| | |
|---|---|
| ads x tags | {record.n_train:,} x {record.n_tags} |
| seconds of the whole command | {first:.0f} |
| of these, by stage | {stages}, start and page {page:.0f} |
| seconds of the same command again | {again:.0f} |
| predictions and submission of the two | {"the same" if digests(out) == before else "differ"} |
| OOF GAP of the stack | {record.scores[record.stack].gap:.4f} |
| level-1 models | {", ".join(models)} |
| submission | {"written" if record.submission else "none, as there are no test ads"} |

- Left out:
{chr(10).join(left_out or ["  - nothing"])}
"""


def qualities(data: Path, profile: str, jobs: int, names: list[str], kept: Path | None) -> str:
    """Run each quality on the same ads, and describe them in a table; what is kept is read."""
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for name in names:
            out = Path(temporary) if kept is None else kept
            command = [sys.executable, "-m", "competition", "run", "--data", data, "--out", out]
            command += ["--profile", profile, "--jobs", jobs, "--quality", name]
            subprocess.run(list(map(str, command)), check=True)
            (path,) = out.glob("oof/*/run.json")
            record = read_record(path)
            cards = {model: _seconds(path.parent / model) for model in record.scores}
            level2 = cards.pop(record.stack)
            test = record.submission.test_scores if record.submission else None
            of_test = "" if test is None else f"{test.gap:.4f}"
            rows.append(
                f"| {name} | {len(cards)} | {sum(cards.values()):.0f} | {level2:.0f} | "
                f"{record.scores[record.stack].gap:.4f} | {of_test} |"
            )
    table = "\n".join(rows)
    return f"""{QUALITIES}

`{data.name}`, profile `{profile}`: seconds of all folds, added up, without the features.

| quality | models | seconds of level 1 | of level 2 | OOF GAP | GAP of the test ads |
|---|---:|---:|---:|---:|---:|
{table}
"""


def _seconds(folder: Path) -> float:
    return read_card(folder / "card.json").seconds


def main(given: list[str] | None = None) -> None:
    """Measure, print and write the note."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--profile", default="posters")
    parser.add_argument("--ads", type=int, default=20_000)
    parser.add_argument("--limit", default="3m")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--result", type=Path, default=RESULT)
    parser.add_argument("--qualities", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--names", nargs="*", default=["fast", "default", "best"])
    args = parser.parse_args(given)
    before = args.result.read_text("utf-8") if args.result.is_file() else ""
    limits, _, rest = before.partition(QUALITIES)
    if args.qualities is not None:
        text = limits + qualities(args.qualities, args.profile, args.jobs, args.names, args.out)
        print(text)
        write_text(args.result, text)
        return
    found = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        made = make(folder / "made_up", args.ads)
        cases = [Case(f"{args.ads:,} made-up texts", made, "text")]
        if args.data is not None:
            cases.insert(0, Case(f"`{args.data.name}`", args.data, args.profile))
        for place, case in enumerate(cases):
            found.append(row(case, folder / f"out{place}", args.jobs, args.limit))
    text = f"""# Runs with `--time-limit {args.limit}`

Made by `python -m benchmarks.time_limit`: `--jobs {args.jobs}`, no GPU, no checkpoint; seconds are
those of the clock.

""" + "\n".join(found)
    text += f"\n{QUALITIES}{rest}" if rest else ""
    print(text)
    write_text(args.result, text)


if __name__ == "__main__":
    main()
