"""Which ads train, validate and test."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from competition.datasets.base import AdDataset
from competition.folds import make_folds
from competition.utils.files import digest

TENTHS = 10  # parts of the labelled ads: 7 train, 1 validates, 2 test


@dataclass(frozen=True, eq=False)
class Part:
    """Some labelled ads.

    Attributes
    ----------
    ids : Index of shape (n_ads,)
    labels : ndarray of shape (n_ads, n_tags), dtype uint8
    """

    ids: pd.Index
    labels: np.ndarray


@dataclass(frozen=True)
class Parts:
    """The paper's 70, 10 and 20 % of the labelled ads.

    Attributes
    ----------
    train : Part
        Models are fitted on these ads alone.
    validation : Part
        Values of a sweep are chosen on these.
    test : Part
        Scored, and nothing else.
    """

    train: Part
    validation: Part
    test: Part

    @property
    def fingerprint(self) -> str:
        parts = (self.train, self.validation, self.test)
        ids, labels = (
            [list(part.ids) for part in parts],
            [part.labels.tobytes() for part in parts],
        )
        return digest(ids, *labels)


def split_ads(dataset: AdDataset, seed: int) -> Parts:
    """Split the labelled ads by iterative stratification, groups kept whole.

    A dataset that knows the labels of its test ads is tested on these, and an eighth of its
    training ads validates: 70, 10 and 20 % where the test ads are a fifth. Of any other dataset the
    training ads alone are labelled, and are split; its test ads take no part.

    Raises
    ------
    FoldsError
        If there are fewer ads or groups than parts.
    """
    if dataset.test_labels is not None:
        of_ad = make_folds(dataset, TENTHS - 2, seed).of_ad
        test = Part(dataset.test_ids, dataset.test_labels)
        is_test = np.zeros(len(of_ad), dtype=bool)
    else:
        of_ad = make_folds(dataset, TENTHS, seed).of_ad
        is_test = of_ad >= TENTHS - 2
        test = _part(dataset, is_test)
    return Parts(_part(dataset, (of_ad > 0) & ~is_test), _part(dataset, of_ad == 0), test)


def _part(dataset: AdDataset, chosen: np.ndarray) -> Part:
    return Part(dataset.train_ids[chosen], dataset.labels[chosen])
