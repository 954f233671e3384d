"""Folds."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from competition.datasets import load_dataset
from competition.datasets.base import AdDataset
from competition.folds import (
    grouped_folds,
    load_or_make_folds,
    make_folds,
    read_folds,
    unevenness,
    write_folds,
)
from competition.utils.errors import FoldsError


@pytest.fixture
def dataset(table: Path) -> AdDataset:
    return load_dataset(table)


@pytest.fixture
def grouped(table: Path) -> AdDataset:
    toml = table / "competition.toml"
    text = toml.read_text(encoding="utf-8")
    toml.write_text(text.replace('id = "id"\n', 'id = "id"\ngroup = "year"\n'), encoding="utf-8")
    return load_dataset(table)


def test_every_tag_is_shared_evenly(dataset: AdDataset) -> None:
    table = unevenness(dataset.labels, make_folds(dataset, 5, 0).of_ad)
    assert (table["most"] - table["least"]).max() <= 1


def test_same_seed_same_folds_and_other_seed_others(dataset: AdDataset) -> None:
    first = make_folds(dataset, 5, 0)
    assert make_folds(dataset, 5, 0).fingerprint == first.fingerprint
    assert make_folds(dataset, 5, 1).fingerprint != first.fingerprint


def test_too_few_ads_for_the_folds(dataset: AdDataset) -> None:
    with pytest.raises(
        FoldsError,
        match=r"40 training ads: too few for 41 folds\. Lower folds\.n or add training ads",
    ):
        make_folds(dataset, 41, 0)


@settings(max_examples=40, deadline=None)
@given(
    n_groups=st.integers(5, 40),
    n=st.integers(2, 5),
    n_tags=st.integers(1, 8),
    seed=st.integers(0, 2**16),
)
def test_groups_stay_whole_and_no_fold_is_empty(
    n_groups: int, n: int, n_tags: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_groups), rng.integers(1, 6, n_groups))
    labels = (rng.random((len(groups), n_tags)) < 0.3).astype(np.uint8)
    of_ad = grouped_folds(labels, groups, n, seed)
    assert set(of_ad) == set(range(n))
    assert all(len(set(of_ad[groups == group])) == 1 for group in range(n_groups))


def test_grouped_folds_are_more_even_than_shuffled_groups() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(120), rng.integers(1, 9, 120))
    labels = (rng.random((len(groups), 20)) < rng.uniform(0.02, 0.5, 20)).astype(np.uint8)

    def spread(of_ad: np.ndarray) -> float:
        table = unevenness(labels, of_ad)
        return float(((table["most"] - table["least"]) / table["even"]).mean())

    shuffled = [np.array([rng.integers(0, 5) for _ in range(120)])[groups] for _ in range(20)]
    assert spread(grouped_folds(labels, groups, 5, 0)) < 0.35 * min(map(spread, shuffled))


def test_dataset_with_groups_keeps_them_whole(grouped: AdDataset) -> None:
    folds = make_folds(grouped, 5, 0)
    assert grouped.groups is not None
    for group in set(grouped.groups):
        assert len(set(folds.of_ad[grouped.groups == group])) == 1


def test_written_folds_are_read_back(dataset: AdDataset, tmp_path: Path) -> None:
    folds = make_folds(dataset, 5, 0)
    write_folds(tmp_path / "folds.csv", folds)
    assert read_folds(tmp_path / "folds.csv", dataset).fingerprint == folds.fingerprint


def test_rows_of_folds_csv_are_matched_by_id(dataset: AdDataset, tmp_path: Path) -> None:
    path = tmp_path / "folds.csv"
    folds = make_folds(dataset, 5, 0)
    write_folds(path, folds)
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([header, *reversed(rows)]), encoding="utf-8")
    assert read_folds(path, dataset).fingerprint == folds.fingerprint


def test_stored_folds_are_obeyed_whatever_the_profile_says(
    dataset: AdDataset, tmp_path: Path
) -> None:
    path = tmp_path / "folds.csv"
    first = load_or_make_folds(path, dataset, 5, 0)
    assert load_or_make_folds(path, dataset, 3, 9).fingerprint == first.fingerprint


def test_own_folds_are_obeyed_and_kept(dataset: AdDataset, tmp_path: Path) -> None:
    own = make_folds(dataset, 3, 7)
    write_folds(tmp_path / "own.csv", own)
    path = tmp_path / "store" / "folds.csv"
    assert (
        load_or_make_folds(path, dataset, 5, 0, tmp_path / "own.csv").fingerprint == own.fingerprint
    )
    assert load_or_make_folds(path, dataset, 5, 0).fingerprint == own.fingerprint


def test_own_folds_that_differ_from_stored_ones_are_refused(
    dataset: AdDataset, tmp_path: Path
) -> None:
    write_folds(tmp_path / "own.csv", make_folds(dataset, 3, 7))
    load_or_make_folds(tmp_path / "folds.csv", dataset, 5, 0)
    with pytest.raises(FoldsError, match="holds other folds than"):
        load_or_make_folds(tmp_path / "folds.csv", dataset, 5, 0, tmp_path / "own.csv")


FAULTS = {
    "1 ad(s) have no fold (ad3)": ("ad3,", None),
    "1 ad(s) are no training ads (zz)": ("ad39,", "ad39,0\nzz,"),
    "folds.csv:25 (ad ad2): the ad stands above already": ("ad3,", "ad2,0\nad3,"),
    "fold 'x' is not a number. Write 0, 1, 2": ("ad3,", "ad3,x"),
    "Number them 0, 1, ..., n - 1": ("ad3,", "ad3,9"),
}


@pytest.mark.parametrize("message", FAULTS)
def test_folds_that_do_not_fit_the_ads_are_refused(
    dataset: AdDataset, tmp_path: Path, message: str
) -> None:
    start, new = FAULTS[message]
    path = tmp_path / "folds.csv"
    write_folds(path, make_folds(dataset, 5, 0))
    lines = path.read_text(encoding="utf-8").splitlines()
    row = next(i for i, line in enumerate(lines) if line.startswith(start))
    if new is None:
        del lines[row]
    else:
        lines[row] = new + lines[row].removeprefix(start) if new.endswith(",") else new
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(FoldsError) as raised:
        read_folds(path, dataset)
    assert message in str(raised.value)


def test_folds_that_split_a_group_are_refused(grouped: AdDataset, tmp_path: Path) -> None:
    rows = [f"{ad},{i % 5}" for i, ad in enumerate(reversed(grouped.train_ids))]
    rows[0], rows[1] = rows[0][:-1] + "1", rows[1][:-1] + "0"
    path = tmp_path / "folds.csv"
    path.write_text("\n".join(["id,fold", *rows]), encoding="utf-8")
    with pytest.raises(FoldsError, match="splits the group"):
        read_folds(path, grouped)
