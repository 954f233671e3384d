"""Five hundred models brought from elsewhere: adding, listing and stacking them.

    python -m benchmarks.many_models [--models N] [--ads N] [--tags N]

The predictions are made up: a few base models, each a noisy view of the truth, and copies of them
with noise, shifts and other scales; a fifth are duplicates or nearly so, some are constant, and
some have seen the labels of a fold. Each command runs as a process of its own. The table goes to
benchmarks/many_models.md.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit

from competition.evaluation.metrics import gap
from competition.oof.cards import StackCard, read_card
from competition.pipeline.stored import StoredModel, list_oof
from competition.utils.files import write_text

RESULT = Path(__file__).with_suffix(".md")
N_BASES = 12
FOLDS = 5
TOML = """\
name = "many"
train = "train.csv"
test = "test.csv"

[[tags]]
column = "tags"
dimension = "topic"
"""


def make(folder: Path, n_models: int, n_ads: int, n_tags: int, seed: int = 0) -> np.ndarray:
    """Write ads and the predictions of models; return the labels of the test ads."""
    rng = np.random.default_rng(seed)
    n_test = n_ads // 5
    n = n_ads + n_test
    prior = rng.uniform(-4.5, -1, n_tags)
    truth = prior + rng.normal(size=(n, 6)) @ rng.normal(0, 0.9, (6, n_tags))
    truth += rng.normal(0, 0.7, truth.shape)
    labels = rng.random(truth.shape) < expit(truth)
    labels[np.arange(n), rng.integers(n_tags, size=n)] = True
    ids = np.array([f"ad{i:06d}" for i in range(n)])
    tags = np.array([f"t{i:03d}" for i in range(n_tags)])
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("train", slice(n_ads)), ("test", slice(n_ads, None))):
        cells = ["|".join(tags[one]) for one in labels[rows]]
        table = {"id": ids[rows], "tags": cells} if name == "train" else {"id": ids[rows]}
        pd.DataFrame(table).to_csv(folder / f"{name}.csv", index=False)
    (folder / "competition.toml").write_text(TOML)
    fold = rng.permutation(n_ads) % FOLDS
    models = folder / "models"
    models.mkdir(exist_ok=True)
    bases = [truth + rng.normal(0, rng.uniform(1, 3), truth.shape) for _ in range(N_BASES)]
    made: list[np.ndarray] = []
    for place in range(n_models):
        kind = rng.random()
        if place >= N_BASES and kind < 0.1:  # the same
            values = made[rng.integers(len(made))]
        elif place >= N_BASES and kind < 0.2:  # nearly
            values = made[rng.integers(len(made))] + rng.normal(0, 1e-3, truth.shape)
        elif kind > 0.99:
            values = np.tile(prior, (n, 1))
        else:
            values = bases[rng.integers(N_BASES)] + rng.normal(0, rng.uniform(0, 3), truth.shape)
            values = rng.uniform(0.4, 1.5) * values + rng.normal(0, 0.5)
        if 0.98 < kind <= 0.99:  # has seen the labels of a fold
            values = values.copy()
            values[:n_ads][fold == 1] += 6 * labels[:n_ads][fold == 1]
        if len(made) < 40:
            made.append(values)
        one = pd.DataFrame(expit(values), columns=tags, dtype=np.float32)
        one.insert(0, "id", ids)
        name = f"m{place:03d}"
        one[:n_ads].assign(fold=fold).to_parquet(models / f"{name}.oof.parquet", index=False)
        one[n_ads:].to_parquet(models / f"{name}.test.parquet", index=False)
    return labels[n_ads:]


def command(*arguments: object) -> tuple[str, float, float, float]:
    """Run a command; return what it prints, its seconds, processor seconds and peak GiB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "competition", *map(str, arguments)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "160"},
    )
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout, seconds, used, after.ru_maxrss / 2**20


def main(given: list[str] | None = None) -> None:
    """Measure, print and write the note."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=500)
    parser.add_argument("--ads", type=int, default=5000)
    parser.add_argument("--tags", type=int, default=82)
    parser.add_argument("--result", type=Path, default=RESULT)
    args = parser.parse_args(given)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        truth = make(folder, args.models, args.ads, args.tags)
        where = ("--data", folder, "--out", folder / "out")
        rows, found = [], {}
        for name, call in (
            ("add all of them", ("add-oof", "--from", folder / "models")),
            ("list them", ("oof", "list")),
            ("stack them by the mean", ("stack", "--set", "level2.model=mean")),
            ("stack them by `pooled`", ("stack", "--set", "level2.model=pooled")),
            ("stack them, all meta-learners", ("stack",)),
        ):
            _, seconds, used, peak = command(*call, *where)
            row = f"| {name} | {seconds:.1f} s | {used:.0f} s | {peak:.1f} GiB |"
            print(row, flush=True)
            rows.append(row)
        for learner in ("mean", "pooled", "selection"):
            stored = folder / "out" / "oof" / "many" / f"stack-{learner}"
            test = pd.read_parquet(stored / "test.parquet").set_index("id")
            card = read_card(stored / "card.json")
            assert isinstance(card, StackCard)
            left_out = len(card.left_out)
            found[learner] = (card.scores.gap, gap(truth, test.to_numpy()))
        best = max(list_oof(folder, folder / "out"), key=_gap_of_brought)
    scores = "\n".join(
        f"| {name} | {oof:.4f} | {test:.4f} |" for name, (oof, test) in found.items()
    )
    text = f"""# {args.models} models made elsewhere

{args.ads:,} training ads, {args.ads // 5:,} test ads, {args.tags} tags; each command is a process
of its own, with the processes that it starts. The peak is that of the largest process.

| | time | processor | peak |
|---|---:|---:|---:|
{chr(10).join(rows)}

{left_out} models were named as copies or constants and used once.

| | OOF GAP | GAP of the test ads |
|---|---:|---:|
| best model, `{best.name}` | {_gap_of_brought(best):.4f} | |
{scores}
"""
    print(text)
    write_text(args.result, text)


def _gap_of_brought(one: StoredModel) -> float:
    return one.card.scores.gap if one.card is not None and one.kind == "elsewhere" else 0.0


if __name__ == "__main__":
    main()
