"""A level-1 model as the mean of copies with other seeds."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.cli.calling import call, called

COMMON = ("--profile", "text", "--jobs", 1, "--set", 'models=["xgboost"]')
QUICK = (
    "--set",
    "folds.n=3",
    "--set",
    "level2.model=mean",
    "--set",
    "level1.xgboost.n_estimators=25",
)


def stored(out: Path, model: str, file: str = "oof.parquet") -> pd.DataFrame:
    found = pd.read_parquet(out / "oof" / "films" / model / file).set_index("id")
    return found.drop(columns="fold", errors="ignore")


def run(data: Path, out: Path, *options: object) -> None:
    call("run", "--data", data, "--out", out, *COMMON, *QUICK, *options)


def test_seeds_are_the_mean_of_runs_with_these_seeds(shared_table: Path, tmp_path: Path) -> None:
    alone = []
    for seed in (4, 5, 6):
        out = tmp_path / str(seed)
        run(shared_table, out, "--set", f"level1.xgboost.random_state={seed}")
        alone.append([stored(out, "xgboost", file) for file in ("oof.parquet", "test.parquet")])
    together = tmp_path / "together"
    chosen = ("--set", "level1.xgboost.random_state=4", "--set", "level1.xgboost.seeds=3")
    run(shared_table, together, *chosen)
    for place, file in enumerate(("oof.parquet", "test.parquet")):
        mean = np.mean([one[place].to_numpy() for one in alone], axis=0)
        assert not np.array_equal(*(one[place].to_numpy() for one in alone[:2]))
        np.testing.assert_allclose(stored(together, "xgboost", file), mean, atol=1e-6)
    card = json.loads((together / "oof/films/xgboost/card.json").read_text())
    assert card["parameters"]["seeds"] == 3


def test_stack_of_copies_is_saved_and_predicts_the_bytes_of_the_run(
    shared_table: Path, tmp_path: Path
) -> None:
    seeds = ("--set", "level1.xgboost.seeds=2", "--set", "level1.text_net.seeds=2")
    more = ("--set", 'models=["xgboost", "text_net"]', "--set", "level1.text_net.epochs=1")
    run(shared_table, tmp_path, *seeds, *more, "--save", tmp_path / "stack")
    to = tmp_path / "p.parquet"
    call("predict", tmp_path / "stack", "--data", shared_table, "--to", to)
    found = pd.read_parquet(to).set_index("id")
    expected = stored(tmp_path, "stack-mean", "test.parquet")
    assert np.array_equal(found, expected.loc[found.index])


def test_one_seed_is_the_model_as_it_is(shared_table: Path, tmp_path: Path) -> None:
    run(shared_table, tmp_path)
    card = tmp_path / "oof/films/xgboost/card.json"
    before = card.read_bytes()
    run(shared_table, tmp_path, "--set", "level1.xgboost.seeds=1")
    assert card.read_bytes() == before


def test_copies_are_tuned(shared_table: Path, tmp_path: Path) -> None:
    where = ("--data", shared_table, "--out", tmp_path, *COMMON, *QUICK)
    done = call("tune", "xgboost", *where, "--set", "level1.xgboost.seeds=2", "--trials", 1)
    profile = (tmp_path / "oof/films/tuning/xgboost.toml").read_text()
    assert "seeds = 2" in profile
    run(shared_table, tmp_path, "--set", "level1.xgboost.seeds=2")
    card = json.loads((tmp_path / "oof/films/xgboost/card.json").read_text())
    assert f"{card['scores']['gap']:.4f}" in done.out


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("level1.xgboost.seeds=0", "level1.xgboost.seeds"),
        ("level1.xgboost.seeds=1.5", "level1.xgboost.seeds"),
        ("level1.zero_shot.seeds=3", "zero_shot has no random_state"),
    ],
)
def test_seeds_that_say_nothing_are_refused(
    given: str, says: str, shared_table: Path, tmp_path: Path
) -> None:
    where = ("--data", shared_table, "--out", tmp_path, "--profile", "text")
    done = called("run", *where, "--set", given)
    assert done.status == 2
    assert says in " ".join(done.err.split())
