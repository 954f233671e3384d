"""Who trains, validates and tests."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from competition.datasets import load_dataset
from competition.reproductions.look_read_feel.split import LabelledAds, split_ads


def all_ads(folder: Path, seed: int = 0) -> list[LabelledAds]:
    split = split_ads(load_dataset(folder), seed)
    return [split.train, split.validation, split.test]


def test_known_test_ads_test_and_training_ads_are_split(pitt: Path) -> None:
    dataset = load_dataset(pitt)
    train, validation, test = all_ads(pitt)
    assert list(test.ids) == list(dataset.test_ids)
    assert np.array_equal(test.labels, dataset.test_labels)
    assert set(train.ids) | set(validation.ids) == set(dataset.train_ids)
    assert abs(len(validation.ids) - len(dataset.train_ids) / 8) <= 3


def test_labelled_ads_are_split_where_test_labels_are_held_back(shared_table: Path) -> None:
    dataset = load_dataset(shared_table)
    chosen = all_ads(shared_table)
    ids = [ad for some in chosen for ad in some.ids]
    assert sorted(ids) == sorted(dataset.train_ids)
    assert [round(len(some.ids) / 4) for some in chosen] == [7, 1, 2]


def test_labels_belong_to_their_ads(shared_table: Path) -> None:
    dataset = load_dataset(shared_table)
    labels = dict(zip(dataset.train_ids, dataset.labels.tolist(), strict=True))
    for some in all_ads(shared_table):
        assert [labels[ad] for ad in some.ids] == some.labels.tolist()


def test_groups_stay_whole(shared_table: Path) -> None:
    dataset = load_dataset(shared_table)
    groups = [f"g{i // 2}" for i in range(len(dataset.ads))]
    dataset = replace(dataset, ads=dataset.ads.assign(group=groups))
    split = split_ads(dataset, 0)
    found = [
        set(dataset.ads.loc[some.ids, "group"])
        for some in (split.train, split.validation, split.test)
    ]
    assert sum(map(len, found)) == len(set.union(*found)) == 20


def test_seed_decides_and_repeats(shared_table: Path) -> None:
    dataset = load_dataset(shared_table)
    assert split_ads(dataset, 1).fingerprint == split_ads(dataset, 1).fingerprint
    assert split_ads(dataset, 1).fingerprint != split_ads(dataset, 2).fingerprint
