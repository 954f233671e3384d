"""A saved stack gives the bytes of its run, however many threads the libraries may use."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.saved.manifest import read_manifest
from tests.cli.calling import call

TAGS = 40
WIDTH = 498

TOML = """\
name = "wide"
train = "train.csv"
test = "test.csv"

[[tags]]
column = "tags"
dimension = "topic"

[inputs.vectors]
kind = "array"
column = "vectors"
"""


@pytest.fixture(scope="module")
def ads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Arrays so wide that a library of linear algebra shares them out among its threads."""
    folder = tmp_path_factory.mktemp("wide")
    (folder / "vectors").mkdir()
    rng = np.random.default_rng(0)
    of_tags = rng.normal(size=(TAGS, WIDTH))
    for part, n in (("train", 240), ("test", 100)):
        made = []
        for i in range(n):
            has = rng.random(TAGS) < 0.1
            has[i % TAGS] = True
            vectors = has @ of_tags + rng.normal(0, 4, (2, WIDTH))
            np.save(folder / "vectors" / f"{part}{i}.npy", vectors.astype(np.float32))
            tags = "|".join(f"t{tag:02d}" for tag in np.flatnonzero(has))
            made.append({"id": f"{part}{i}", "vectors": f"vectors/{part}{i}.npy", "tags": tags})
        pd.DataFrame(made).to_csv(folder / f"{part}.csv", index=False)
    (folder / "competition.toml").write_text(TOML)
    return folder


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core has one thread")
@pytest.mark.parametrize("keep", ["folds", "refit"])
def test_predictions_have_the_same_bytes_with_any_number_of_threads(
    keep: str, ads: Path, tmp_path: Path
) -> None:
    profile = tmp_path / "own.toml"
    profile.write_text('models = ["probe"]\nlevel2.model = "pooled"\nfolds.n = 3\n')
    stack = tmp_path / "stack"
    run = ("--data", ads, "--profile", profile, "--out", tmp_path, "--jobs", 1)
    call("run", *run, "--save", stack, "--keep", keep)
    found = []
    for threads in ("1", "2"):
        to = tmp_path / f"{threads}.parquet"
        subprocess.run(
            [sys.executable, "-m", "competition", "predict", stack, "--data", ads, "--to", to],
            check=True,
            capture_output=True,
            env={**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
        )
        found.append(pd.read_parquet(to).set_index("id"))
    assert np.array_equal(*found)
    if keep == "folds":
        stored = pd.read_parquet(tmp_path / "oof" / "wide" / "stack-pooled" / "test.parquet")
        assert np.array_equal(found[0], stored.set_index("id").loc[found[0].index])


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core has one thread")
def test_refitted_models_are_scaled_alike_with_any_number_of_threads(
    ads: Path, tmp_path: Path
) -> None:
    profile = tmp_path / "own.toml"
    profile.write_text('models = ["probe"]\nlevel2.model = "mean"\nfolds.n = 3\n')
    run = ("--data", ads, "--profile", profile, "--out", tmp_path, "--jobs", "1")
    found = []
    for threads in ("1", "2"):
        stack = tmp_path / threads
        subprocess.run(
            [sys.executable, "-m", "competition", "save", stack, *run, "--keep", "refit"],
            check=True,
            capture_output=True,
            env={**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
        )
        found.append(read_manifest(stack).models["probe"].scale)
    assert found[0] == found[1]


COUNTS = '''\
"""Plug-ins of every kind that write down how many threads they may use."""

import json
import json
import os
import time
from pathlib import Path

import lightgbm
import numpy as np
import sklearn.ensemble
import torch
from threadpoolctl import threadpool_info

from competition import Extractor, Level1Model, MetaLearner, extractor, level1_model, meta_learner


def write_down(what):
    np.ones((300, 300)) @ np.ones((300, 300))
    pools = {one["prefix"] + one["filepath"]: one["num_threads"] for one in threadpool_info()}
    found = {"what": what, "torch": torch.get_num_threads(), **pools}
    name = f"{what}-{os.getpid()}-{time.time_ns()}.json"
    Path(os.environ["COUNTS"], name).write_text(json.dumps(found))


@extractor("counts", kinds=("text",), gives="metadata", version=1)
class Counts(Extractor):
    """Letters."""

    libraries = ("torch",)
    shard = 10

    def extract_one(self, item):
        write_down("extract")
        return {"letters": float(len(item.value))}


@level1_model("counts", kinds=("metadata",))
class CountsToo(Level1Model):
    """Shares."""

    def _fit(self, X, Y):
        write_down("level1")
        self.share = Y.mean(axis=0)

    def _predict_proba(self, X):
        write_down("level1")
        return np.tile(self.share, (len(X), 1))


@meta_learner("counts")
class CountsAsWell(MetaLearner):
    """The first model."""

    def _fit(self, data):
        write_down("level2")

    def _predict_proba(self, ads):
        return ads.probabilities[:, 0]
'''


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core has one thread")
@pytest.mark.parametrize(
    "on",
    [
        "local",
        pytest.param("ray", marks=pytest.mark.slow),
        pytest.param("slurm:local", marks=pytest.mark.slow),
    ],
)
def test_as_many_tasks_as_cores_have_one_thread_each(
    on: str, shared_table: Path, tmp_path: Path
) -> None:
    counts = tmp_path / "counts"
    counts.mkdir()
    (tmp_path / "plugins.py").write_text(COUNTS)
    profile = tmp_path / "own.toml"
    profile.write_text(
        'plugins = ["plugins.py"]\nmodels = ["counts", "tfidf_logreg"]\nfolds.n = 4\n'
        'level2.model = ["counts", "mean"]\n\n'
        '[features.letters]\nextractor = "counts"\ninput = "story"\n'
    )
    free = {name: value for name, value in os.environ.items() if "_NUM_THREADS" not in name}
    free.pop("RAY_ADDRESS", None)
    run = ("run", "--data", shared_table, "--profile", profile, "--out", tmp_path / "out")
    done = subprocess.run(
        [sys.executable, "-m", "competition", *run, "--jobs", "2", "--on", on],
        env={**free, "COUNTS": str(counts)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(path.read_text()) for path in counts.iterdir()]
    assert {one.pop("what") for one in found} == {"extract", "level1", "level2"}
    assert len({path.name.split("-")[1] for path in counts.iterdir()}) >= 2  # processes
    assert any("openblas" in pool for one in found for pool in one)
    more = [(pool, n) for one in found for pool, n in one.items() if n != 1]
    assert not more
