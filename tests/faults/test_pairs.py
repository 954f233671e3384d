"""Two processes at once under one name: what is stored is what one of them alone would store."""

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.datasets import load_dataset
from tests.cli.calling import call

ROOT = Path(__file__).resolve().parents[2]
STORE = Path("oof", "films")
LIMIT = 240  # seconds for a pair
RUN = [
    *("run", "--profile", "text", "--jobs", "1", "--set", 'models=["tfidf_logreg"]'),
    *("--set", "folds.n=3", "--set", "level2.model=mean"),
]
MODELS = ("tfidf_logreg", "stack-mean")


@dataclass(frozen=True)
class Pair:
    """Two commands that write under the same names, and these names."""

    one: list[str]
    other: list[str]
    names: tuple[str, ...]


def _set(*settings: str) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


def _add(name: str) -> list[str]:
    return ["add-oof", "theirs", "--oof", f"{name}.oof.csv", "--test", f"{name}.test.csv"]


PAIRS = {
    "parameters": Pair(
        [*RUN, *_set("level1.tfidf_logreg.C=0.1")], [*RUN, *_set("level1.tfidf_logreg.C=9")], MODELS
    ),
    "inputs": Pair(
        [*RUN, *_set('level1.tfidf_logreg.inputs=["title"]')],
        [*RUN, *_set('level1.tfidf_logreg.inputs=["plot"]')],
        MODELS,
    ),
    "add-oof": Pair(_add("eyes"), _add("ears"), ("theirs",)),
    "stack": Pair(
        ["stack", *_set("level2.model=logreg", "level2.logreg.C=0.01")],
        ["stack", *_set("level2.model=logreg", "level2.logreg.C=9")],
        ("stack-logreg",),
    ),
}


@pytest.fixture(scope="module")
def begun(shared_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two models made elsewhere; below it `alone`, what single commands store."""
    dataset, out = load_dataset(shared_table), tmp_path_factory.mktemp("begun")
    rng = np.random.default_rng(0)
    for name, noise in (("eyes", 0.3), ("ears", 0.6)):
        noisy = dataset.labels + rng.normal(scale=noise, size=dataset.labels.shape)
        tests = rng.normal(scale=noise, size=(len(dataset.test_ids), len(dataset.tags)))
        for split, ids, values in (
            ("oof", dataset.train_ids, noisy),
            ("test", dataset.test_ids, tests),
        ):
            frame = pd.DataFrame(1 / (1 + np.exp(-values)), index=ids, columns=dataset.tag_names)
            frame.to_csv(out / f"{name}.{split}.csv", index_label="id")
        files = ["--oof", out / f"{name}.oof.csv", "--test", out / f"{name}.test.csv"]
        call("add-oof", name, "--data", shared_table, "--out", out, *files)
    call("run", "--data", shared_table, "--out", out, *RUN[1:], *_set('models=["tfidf_nblogreg"]'))
    return out


def _alone(command: list[str], begun: Path, data: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    """What a command stores where nothing else runs."""
    out = begun / "alone" / "".join(filter(str.isalnum, "".join(command)))
    if not out.is_dir():
        shutil.copytree(begun, out, ignore=shutil.ignore_patterns("alone"))
        call(*command, "--data", data, "--out", out, cwd=out)
    return _stored(out, names)


def _stored(out: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    files = [f"{name}/{file}.parquet" for name in names for file in ("oof", "test")]
    return {file: (out / STORE / file).read_bytes() for file in files}


def _start(command: list[str], data: Path, out: Path) -> subprocess.Popen[str]:
    whole = [sys.executable, "-m", "competition", *command, "--data", str(data), "--out", str(out)]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        whole, cwd=out, env=_environment(), stdout=pipe, stderr=subprocess.STDOUT, text=True
    )


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}


def _try(kind: str, delay: float, begun: Path, data: Path, out: Path) -> bool:
    """Run a pair and what comes after it; return whether one has waited for the other."""
    pair = PAIRS[kind]
    shutil.copytree(begun, out, ignore=shutil.ignore_patterns("alone"))
    first = _start(pair.one, data, out)
    time.sleep(delay)
    second = _start(pair.other, data, out)
    said = [process.communicate(timeout=LIMIT)[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), "\n".join(said)
    fresh = [_alone(command, begun, data, pair.names) for command in (pair.one, pair.other)]
    assert fresh[0] != fresh[1]
    stored = _stored(out, pair.names)
    for name in pair.names:  # each name is that of one command, whole
        of_name = [
            {file: content for file, content in of.items() if file.startswith(f"{name}/")}
            for of in (stored, *fresh)
        ]
        assert of_name[0] in of_name[1:], f"{name}\n" + "\n".join(said)
    for command, expected in zip((pair.one, pair.other), fresh, strict=True):
        call(*command, "--data", data, "--out", out, cwd=out)
        assert _stored(out, pair.names) == expected
    left = [path for path in (out / STORE).rglob("*") if path.suffix == ".tmp"]
    assert left == []
    return any("Waiting until it has finished" in one for one in said)


@pytest.mark.parametrize("kind", ["parameters", "add-oof", "stack"])
def test_pair_at_once_stores_what_one_alone_would(
    kind: str, begun: Path, shared_table: Path, tmp_path: Path
) -> None:
    _try(kind, 0.0, begun, shared_table, tmp_path / "out")


SLOW = """
import time
from pathlib import Path

import numpy as np

from competition import Level1Model, level1_model


@level1_model("slow_share", kinds=("text",))
class SlowShare(Level1Model):
    def __init__(self, weight=1.0):
        self.weight = weight

    def _fit(self, X, Y):
        for _ in range(1200):
            if (Path(__file__).parent / "slow").exists():
                time.sleep(0.05)
        self.share_ = Y.mean(axis=0) * self.weight

    def _predict_proba(self, X):
        return np.tile(self.share_, (len(X), 1))
"""
OWN = _set('plugins=["slow.py"]', 'models=["slow_share"]', "folds.n=3", "level2.model=mean")


def _slow(weight: float) -> list[str]:
    return ["run", "--jobs", "1", *OWN, *_set(f"level1.slow_share.weight={weight}")]


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not done() and time.monotonic() < deadline:
        time.sleep(0.005)


@pytest.mark.parametrize("killed", [False, True])
def test_second_run_says_whom_it_waits_for_and_goes_on_when_that_has_ended(
    killed: bool, shared_table: Path, tmp_path: Path
) -> None:
    (tmp_path / "slow.py").write_text(SLOW, encoding="utf-8")
    (tmp_path / "slow").touch()
    first = _start(_slow(0.5), shared_table, tmp_path)
    _until(lambda: (tmp_path / STORE / ".locks" / "slow_share.holder").is_file())
    second = _start(_slow(0.25), shared_table, tmp_path)
    assert second.stdout is not None
    waits = next(line for line in second.stdout if "works on it" in line)
    assert f":{first.pid} works on it. Waiting until it has finished" in waits
    if killed:
        first.kill()
    (tmp_path / "slow").unlink()
    said = [process.communicate(timeout=LIMIT)[0] for process in (first, second)]
    assert (first.returncode == 0) != killed, said[0]
    assert second.returncode == 0, said[1]
    assert "works on it" not in said[1]  # it has said so once
    labels = load_dataset(shared_table).labels
    oof = pd.read_parquet(tmp_path / STORE / "slow_share" / "oof.parquet")
    for fold, of_fold in oof.groupby("fold"):
        share = labels[(oof["fold"] != fold).to_numpy()].mean(axis=0) * 0.25
        values = of_fold.drop(columns=["id", "fold"]).to_numpy()
        np.testing.assert_allclose(values, np.tile(share, (len(values), 1)), rtol=1e-6)


@pytest.mark.faults_long
@pytest.mark.parametrize("number", range(50))
def test_fifty_pairs_at_once(number: int, begun: Path, shared_table: Path, tmp_path: Path) -> None:
    kind = list(PAIRS)[number % len(PAIRS)]
    delay = random.Random(number).uniform(0, 1.0)
    waited = _try(kind, delay, begun, shared_table, tmp_path / "out")
    print(f"pair {number}: {kind}, {delay:.2f} s apart, {'waited' if waited else 'met nowhere'}")
    shutil.rmtree(tmp_path / "out")
