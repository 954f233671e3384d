"""Which ads train, validate and test."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from competition.datasets.base import AdDataset
from competition.folds import make_folds
from competition.utils.files import digest

TENTHS = 10  # of the labelled ads: 7 train, 1 validates, 2 test


@dataclass(frozen=True, eq=False)
class LabelledAds:
    """Some labelled ads.

    Attributes
    ----------
    ids : Index of shape (n_ads,)
    labels : ndarray of shape (n_ads, n_tags), dtype uint8
    """

    ids: pd.Index
    labels: np.ndarray


@dataclass(frozen=True)
class Split:
    """The paper's 70, 10 and 20 % of the labelled ads.

    Attributes
    ----------
    train : LabelledAds
        Models are fitted on these ads alone.
    validation : LabelledAds
        Values of a sweep are chosen on these.
    test : LabelledAds
        Scored, and nothing else.
    """

    train: LabelledAds
    validation: LabelledAds
    test: LabelledAds

    @property
    def fingerprint(self) -> str:
        ads = (self.train, self.validation, self.test)
        return digest([list(some.ids) for some in ads], *(some.labels.tobytes() for some in ads))


def split_ads(dataset: AdDataset, seed: int) -> Split:
    """Split the labelled ads by iterative stratification, groups kept whole.

    A dataset that knows the labels of its test ads is tested on these, and an eighth of its
    training ads validates: 70, 10 and 20 % where the test ads are a fifth. Of any other dataset the
    training ads alone are labelled, and are split; its test ads take no part.

    Raises
    ------
    FoldsError
        If there are too few ads, or too few groups.
    """
    if dataset.test_labels is not None:
        of_ad = make_folds(dataset, TENTHS - 2, seed).of_ad
        test = LabelledAds(dataset.test_ids, dataset.test_labels)
        is_test = np.zeros(len(of_ad), dtype=bool)
    else:
        of_ad = make_folds(dataset, TENTHS, seed).of_ad
        is_test = of_ad >= TENTHS - 2
        test = _chosen(dataset, is_test)
    train = _chosen(dataset, (of_ad > 0) & ~is_test)
    return Split(train, _chosen(dataset, of_ad == 0), test)


def _chosen(dataset: AdDataset, chosen: np.ndarray) -> LabelledAds:
    return LabelledAds(dataset.train_ids[chosen], dataset.labels[chosen])
