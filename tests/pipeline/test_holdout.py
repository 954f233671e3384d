"""Ads held out: whole groups, out of everything, scored at the end."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.config.profile import load_profile, load_stack_settings
from competition.datasets import load_dataset
from competition.datasets.base import AdDataset
from competition.evaluation.metrics import gap
from competition.pipeline.holdout import hold_out
from competition.pipeline.record import read_record
from competition.pipeline.run import RunResult, run
from competition.pipeline.stack import stack
from competition.utils.errors import FoldsError
from tests.conftest import write_table

OVERRIDES = ['models=["tfidf_logreg"]', "folds.n=3", "level2.model=mean"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, RunResult]:
    folder = tmp_path_factory.mktemp("holdout")
    data, out = write_table(folder / "films"), folder / "out"
    return data, out, run(data, load_profile("text", OVERRIDES), out, n_jobs=1, holdout=0.2)


def test_share_of_the_ads_becomes_test_ads_without_labels(shared_table: Path) -> None:
    dataset = load_dataset(shared_table)
    rest, held = hold_out(dataset, 0.2, seed=0)
    assert 6 <= len(held.ids) <= 10
    assert set(held.ids) | set(rest.train_ids) == set(dataset.train_ids)
    assert list(rest.test_ids) == [*held.ids, *dataset.test_ids]
    labels = pd.DataFrame(dataset.labels, index=dataset.train_ids)
    np.testing.assert_array_equal(rest.labels, labels.loc[rest.train_ids])
    np.testing.assert_array_equal(held.labels, labels.loc[held.ids])


def test_groups_are_held_out_whole(shared_table: Path) -> None:
    dataset = load_dataset(shared_table)
    groups = [f"g{i // 4}" for i in range(len(dataset.ads))]
    dataset = replace(dataset, ads=dataset.ads.assign(group=groups))
    rest, held = hold_out(dataset, 0.2, seed=0)
    group_of = dataset.ads["group"]
    assert not set(group_of[held.ids]) & set(group_of[rest.train_ids])


@pytest.mark.parametrize("share", [0, 0.6, 1])
def test_share_out_of_range_is_refused(shared_table: Path, share: float) -> None:
    with pytest.raises(FoldsError, match=r"at most 0\.5"):
        hold_out(load_dataset(shared_table), share, seed=0)


def test_score_is_that_of_the_stack_on_the_ads_held_out(
    finished: tuple[Path, Path, RunResult],
) -> None:
    data, out, result = finished
    whole: AdDataset = load_dataset(data)
    held = set(whole.train_ids) - set(result.dataset.train_ids)
    store = out / "oof" / "films-holdout-0.2" / "stack-mean"
    test = pd.read_parquet(store / "test.parquet").set_index("id")
    ids = [ad for ad in whole.train_ids if ad in held]
    labels = pd.DataFrame(whole.labels, index=whole.train_ids).loc[ids].to_numpy()
    assert result.holdout is not None
    assert result.holdout.gap == gap(labels, test.loc[ids, whole.tag_names].to_numpy())


def test_submission_names_the_test_ads_alone(finished: tuple[Path, Path, RunResult]) -> None:
    data, _, result = finished
    assert result.submitted is not None
    assert list(pd.read_csv(result.submitted.path)["id"]) == list(load_dataset(data).test_ids)


def test_record_counts_the_ads_held_out_as_no_test_ads(
    finished: tuple[Path, Path, RunResult],
) -> None:
    data, out, result = finished
    whole = load_dataset(data)
    record = read_record(out / "oof" / "films-holdout-0.2" / "run.json")
    assert record.n_train == len(result.dataset.train_ids) < len(whole.train_ids)
    assert record.n_test == len(whole.test_ids)
    n_held_out = len(whole.train_ids) - record.n_train
    assert any(
        f"{record.n_train} training ads, {n_held_out} more held out, and {record.n_test} test ads"
        in remark
        for remark in record.remarks
    )


def test_stack_takes_what_such_a_run_has_stored(finished: tuple[Path, Path, RunResult]) -> None:
    data, out, _ = finished
    settings = load_stack_settings(["level2.dnn.min_steps=5", "level2.dnn.seeds=1"])
    found = stack(data, settings, out, n_jobs=1, holdout=0.2)
    assert [card.model for card in found.cards] == ["tfidf_logreg"]
    assert found.holdout is not None
    assert 0 < found.holdout.gap <= 1


def test_a_folder_or_a_pipe_holds_nothing_out(table: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(FoldsError, match="is a folder, a device or a pipe"):
            run(table, load_profile("text", OVERRIDES), tmp_path / "out", n_jobs=1, holdout=place)
