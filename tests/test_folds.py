"""Folds."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from competition.datasets import load_dataset
from competition.datasets.base import AdDataset
from competition.folds import grouped_folds, grown_folds, make_folds, unevenness
from competition.folds_file import load_or_make_folds, read_folds, same_folds, write_folds
from competition.utils.errors import FoldsError
from competition.utils.progress import Progress


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


class Remarks(Progress):
    def __init__(self) -> None:
        self.said: list[str] = []

    def remark(self, text: str) -> None:
        self.said.append(text)


def test_new_ads_get_a_fold_and_old_ones_keep_theirs(table: Path, tmp_path: Path) -> None:
    path = tmp_path / "folds.csv"
    before = load_or_make_folds(path, load_dataset(table), 5, 0)
    old = dict(zip(before.ids, before.of_ad, strict=True))
    csv = table / "train.csv"
    lines = csv.read_text(encoding="utf-8").splitlines()
    added = [line.replace("ad", "new", 1) for line in lines[1:11]]
    csv.write_text("\n".join([lines[0], *lines[3:], *added]), encoding="utf-8")
    remarks = Remarks()

    dataset = load_dataset(table)
    after = load_or_make_folds(path, dataset, 5, 0, progress=remarks)

    assert list(after.ids) == list(dataset.train_ids)
    now = dict(zip(after.ids, after.of_ad, strict=True))
    assert all(fold == old[ad] for ad, fold in now.items() if ad in old)
    assert len(now) == 48
    assert (
        unevenness(dataset.labels, after.of_ad)["most"]
        .sub(1)
        .le(unevenness(dataset.labels, after.of_ad)["even"] + 1)
        .all()
    )
    assert "10 ad(s) are new (new0, new1, new2, ...)" in remarks.said[0]
    assert "2 ad(s) are gone (ad0, ad1)" in remarks.said[0]
    assert read_folds(path, dataset).fingerprint == after.fingerprint


def test_folds_of_other_ads_altogether_are_refused(table: Path, tmp_path: Path) -> None:
    path = tmp_path / "folds.csv"
    path.write_text("id,fold\nx,0\ny,1\n", encoding="utf-8")
    with pytest.raises(FoldsError, match="was made for other ads"):
        load_or_make_folds(path, load_dataset(table), 5, 0)
    assert path.read_text(encoding="utf-8") == "id,fold\nx,0\ny,1\n"


@settings(max_examples=40, deadline=None)
@given(n=st.integers(2, 5), n_new=st.integers(0, 30), seed=st.integers(0, 2**16))
def test_a_new_ad_of_a_known_group_goes_where_the_group_is(n: int, n_new: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = np.concatenate([np.arange(20), rng.integers(0, 30, n_new)])
    labels = (rng.random((len(groups), 4)) < 0.4).astype(np.uint8)
    of_ad = np.concatenate([np.arange(20) % n, np.full(n_new, -1)])
    grown = grown_folds(labels, groups, of_ad)
    assert (grown[:20] == of_ad[:20]).all()
    assert (grown >= 0).all()
    assert all(len(set(grown[groups == group])) == 1 for group in groups)


def test_many_new_ads_even_out_what_was_uneven() -> None:
    of_ad = np.array([0] * 30 + [1] * 10 + [-1] * 60)
    labels = np.ones((100, 1), dtype=np.uint8)
    assert np.bincount(grown_folds(labels, np.arange(100), of_ad)).tolist() == [50, 50]


@pytest.mark.parametrize("number", ["9" * 5000, "-1", "１", "1.0"])
def test_a_fold_that_is_no_number_from_0_is_named(
    dataset: AdDataset, tmp_path: Path, number: str
) -> None:
    path = tmp_path / "folds.csv"
    write_folds(path, make_folds(dataset, 5, 0))
    header, first, *rest = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([header, first[:-1] + number, *rest]), encoding="utf-8")
    with pytest.raises(FoldsError, match=r"folds.csv:2 .*is not a number") as raised:
        read_folds(path, dataset)
    assert len(str(raised.value)) < 300


def test_a_group_that_no_fold_can_hold_evenly_is_named(grouped: AdDataset, table: Path) -> None:
    assert grouped.warning_of_giant_group(5) == ""
    csv = table / "train.csv"
    text = csv.read_text(encoding="utf-8")
    for year in range(1995, 2010):
        text = text.replace(str(year), "1994")
    csv.write_text(text, encoding="utf-8")
    remarks = Remarks()
    load_or_make_folds(table / "folds.csv", load_dataset(table), 3, 0, progress=remarks)
    assert "the group '1994' has 32 of 40 training ads" in remarks.said[0]
    assert "learn from 8 ads at most" in remarks.said[0]


def without(table: Path, ads: set[str]) -> AdDataset:
    """Return the dataset without some training ads."""
    csv = table / "train.csv"
    lines = csv.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.split(",")[0] not in ads]
    csv.write_text("\n".join(kept), encoding="utf-8")
    return load_dataset(table)


@pytest.mark.parametrize("fold", [2, 4])
def test_a_fold_without_an_ad_goes_and_the_others_are_numbered_anew(
    table: Path, tmp_path: Path, fold: int
) -> None:
    path = tmp_path / "folds.csv"
    before = load_or_make_folds(path, load_dataset(table), 5, 0)
    dataset = without(table, {*before.ids[before.of_ad == fold]})
    remarks = Remarks()
    after = load_or_make_folds(path, dataset, 5, 0, progress=remarks)
    assert sorted(set(after.of_ad)) == [0, 1, 2, 3]
    assert same_folds(after.of_ad, before.of_ad[before.ids.isin(after.ids)])
    assert f"no ad of fold {fold} is left, so 4 folds are numbered anew" in remarks.said[0]
    assert read_folds(path, dataset).fingerprint == after.fingerprint


def test_new_ads_fill_a_fold_that_ran_empty(table: Path, tmp_path: Path) -> None:
    path = tmp_path / "folds.csv"
    every = load_dataset(table)
    before = load_or_make_folds(path, every, 5, 0)
    rows = pd.DataFrame({"id": before.ids, "fold": before.of_ad})
    rows["id"] = rows["id"].where(rows["fold"] != 4, "old" + rows["id"])
    rows.to_csv(path, index=False)
    after = load_or_make_folds(path, every, 5, 0)
    assert (after.of_ad[before.of_ad < 4] == before.of_ad[before.of_ad < 4]).all()
    assert 4 in after.of_ad


def test_ads_of_one_fold_alone_are_refused(table: Path, tmp_path: Path) -> None:
    path = tmp_path / "folds.csv"
    before = load_or_make_folds(path, load_dataset(table), 5, 0)
    text = path.read_text(encoding="utf-8")
    dataset = without(table, {*before.ids[before.of_ad != 3]})
    with pytest.raises(FoldsError, match="all ads that are left have the fold 3"):
        load_or_make_folds(path, dataset, 5, 0)
    assert path.read_text(encoding="utf-8") == text


def test_own_folds_may_grow_with_the_ads(table: Path, tmp_path: Path) -> None:
    path, own = tmp_path / "folds.csv", tmp_path / "own.csv"
    every = load_dataset(table)
    folds = make_folds(every, 3, 7)
    write_folds(own, folds)
    fewer = pd.DataFrame({"id": folds.ids, "fold": folds.of_ad}).iloc[3:]
    fewer.to_csv(path, index=False)
    assert load_or_make_folds(path, every, 5, 0, own).fingerprint == folds.fingerprint
    assert read_folds(path, every).fingerprint == folds.fingerprint
    fewer.assign(fold=(fewer["fold"].to_numpy() + np.arange(len(fewer))) % 3).to_csv(path)
    with pytest.raises(FoldsError, match="holds other folds than"):
        load_or_make_folds(path, every, 5, 0, own)


def test_a_damaged_id_is_named(table: Path, tmp_path: Path) -> None:
    path = tmp_path / "folds.csv"
    dataset = load_dataset(table)
    folds = load_or_make_folds(path, dataset, 5, 0)
    good = path.read_bytes()
    path.write_bytes(good.replace(b"\nad3,", b"\na\xc63,"))
    with pytest.raises(FoldsError, match=r"folds.csv:\d+ .*not UTF-8"):
        load_or_make_folds(path, dataset, 5, 0)
    path.write_bytes(good.replace(b"\nad3,", b"\nat3,"))
    remarks = Remarks()
    after = load_or_make_folds(path, dataset, 5, 0, progress=remarks)
    assert "the ad at3 that is gone and the new ad ad3 differ in one character" in remarks.said[1]
    assert (after.of_ad == folds.of_ad).sum() >= len(folds.ids) - 1
