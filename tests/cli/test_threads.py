"""A saved stack gives the bytes of its run, however many threads the libraries may use."""

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
