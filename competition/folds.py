"""The fold of each training ad: found so that every fold has its share of every tag."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from competition.datasets.base import AdDataset
from competition.utils.errors import FoldsError
from competition.utils.files import digest


@dataclass(frozen=True, eq=False)
class Folds:
    """The fold of every training ad.

    Attributes
    ----------
    ids : Index of shape (n_train,)
        Training ads, in the dataset's order.
    of_ad : ndarray of shape (n_train,), dtype int64
        The fold that holds each ad out, 0 to n - 1.
    """

    ids: pd.Index
    of_ad: np.ndarray

    @property
    def n(self) -> int:
        return int(self.of_ad.max()) + 1

    @cached_property
    def fingerprint(self) -> str:
        return digest("\n".join(self.ids), self.of_ad.astype("<i8").tobytes())


def make_folds(dataset: AdDataset, n: int, seed: int) -> Folds:
    """Split the training ads into `n` folds, each with its share of every tag.

    Ads without groups are split by iterative stratification (Sechidis et al. 2011, package
    iterative-stratification). That cannot keep groups whole: ads with groups are split by
    `grouped_folds`, which applies the idea to groups.

    Raises
    ------
    FoldsError
        If there are fewer ads or groups than folds.
    """
    groups = dataset.groups
    units = len(dataset.labels) if groups is None else len(set(groups))
    if n < 2 or units < n:
        kind = "training ads" if groups is None else "groups"
        raise FoldsError(
            f"{dataset.name} has {units} {kind}: too few for {n} folds. Lower folds.n or add "
            f"{kind}."
        )
    if groups is None:
        of_ad = _stratified_folds(dataset.labels, n, seed)
    else:
        of_ad = grouped_folds(dataset.labels, groups, n, seed)
    return Folds(dataset.train_ids, of_ad)


def _stratified_folds(labels: np.ndarray, n: int, seed: int) -> np.ndarray:
    from iterstrat.ml_stratifiers import MultilabelStratifiedKFold

    # A constant column makes the folds equal in size, and in their ads without a tag.
    targets = np.column_stack([labels, np.ones(len(labels), dtype=labels.dtype)])
    splitter = MultilabelStratifiedKFold(n_splits=n, shuffle=True, random_state=seed)
    of_ad = np.empty(len(labels), dtype=np.int64)
    for fold, (_, held_out) in enumerate(splitter.split(np.zeros(len(labels)), targets)):
        of_ad[held_out] = fold
    return of_ad


def grouped_folds(labels: np.ndarray, groups: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Split ads into folds that keep groups whole and share every tag evenly.

    Groups with most of the rarest tags come first. Each group goes to the fold where the counts of
    ads and tags come nearest to their even share; all tags weigh the same, however frequent. Then
    single moves and swaps of groups follow, as long as they lower the squared unevenness.

    Parameters
    ----------
    labels : ndarray of shape (n_ads, n_tags), dtype uint8
    groups : ndarray of shape (n_ads,)
        Group of each ad, hashable.
    n : int
    seed : int
        Decides between folds that are equally good.

    Returns
    -------
    ndarray of shape (n_ads,), dtype int64
    """
    codes, weight = _weights(labels, groups)
    order = np.random.default_rng(seed).permutation(len(weight))
    order = order[np.argsort(-weight[order].max(axis=1), kind="stable")]
    load = np.zeros((n, weight.shape[1]))
    fold_of = np.full(len(weight), -1)
    _assign(weight, load, fold_of, order)
    _improve(weight, load, fold_of, order)
    return fold_of[codes].astype(np.int64)


def grown_folds(
    labels: np.ndarray, groups: np.ndarray, of_ad: np.ndarray, n: int | None = None
) -> np.ndarray:
    """Give a fold to the ads that have none, and leave all others where they are.

    A new ad of a known group goes where its group is; other groups go, as in `grouped_folds`, where
    the counts of ads and tags come nearest to their even share.

    Parameters
    ----------
    labels : ndarray of shape (n_ads, n_tags), dtype uint8
    groups : ndarray of shape (n_ads,)
        Group of each ad, hashable; where there are no groups, each ad's own.
    of_ad : ndarray of shape (n_ads,), dtype int64
        Fold of each ad, -1 where it has none.
    n : int, optional
        Number of folds, of which some may have no ad left; by default those of the ads.

    Returns
    -------
    ndarray of shape (n_ads,), dtype int64
    """
    codes, weight = _weights(labels, groups)
    fold_of = np.full(len(weight), -1)
    np.maximum.at(fold_of, codes, of_ad)
    old = fold_of >= 0
    load = np.zeros((n or int(of_ad.max()) + 1, weight.shape[1]))
    np.add.at(load, fold_of[old], weight[old])
    new = np.flatnonzero(~old)
    _assign(weight, load, fold_of, new[np.argsort(-weight[new].max(axis=1), kind="stable")])
    return np.where(of_ad >= 0, of_ad, fold_of[codes]).astype(np.int64)


def _weights(labels: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the group of each ad as a number, and each group's share of every tag and of ads."""
    codes, names = pd.factorize(groups)
    targets = np.column_stack([labels, np.ones(len(labels))]).astype(np.float64)
    totals = targets.sum(axis=0)
    targets = targets[:, totals > 0] / totals[totals > 0]  # every tag sums to 1
    weight = np.zeros((len(names), targets.shape[1]))
    np.add.at(weight, codes, targets)
    return codes, weight


def _assign(weight: np.ndarray, load: np.ndarray, fold_of: np.ndarray, order: np.ndarray) -> None:
    """Put groups one after the other, in place, into the fold that they even out most."""
    for group in order:
        # Adding w to a fold of load l changes the sum of squares by 2 l.w + w.w; only 2 l.w
        # differs between folds.
        fold = int(np.argmin(load @ weight[group]))
        fold_of[group] = fold
        load[fold] += weight[group]


def _improve(weight: np.ndarray, load: np.ndarray, fold_of: np.ndarray, order: np.ndarray) -> None:
    """Move or swap groups in place while that lowers the squared unevenness."""
    for _ in range(10):
        changed = False
        for group in order:
            w, home = weight[group], fold_of[group]
            # Moving w from its fold h to f changes the sum of squares by 2 w.(l_f - l_h + w).
            gain = 2 * (load @ w - load[home] @ w + w @ w)
            gain[home] = 0.0
            fold = int(np.argmin(gain))
            if gain[fold] < -1e-12 and (fold_of == home).sum() > 1:
                load[home] -= w
                load[fold] += w
                fold_of[group] = fold
                changed = True
                continue
            # Swapping with a group v of another fold is moving the difference d = w - v.
            d = w - weight
            swap = 2 * ((d * (load[fold_of] - load[home])).sum(axis=1) + (d * d).sum(axis=1))
            swap[fold_of == home] = 0.0
            other = int(np.argmin(swap))
            if swap[other] < -1e-12:
                fold = fold_of[other]
                load[home] -= d[other]
                load[fold] += d[other]
                fold_of[group], fold_of[other] = fold, home
                changed = True
        if not changed:
            break


def unevenness(labels: np.ndarray, of_ad: np.ndarray) -> pd.DataFrame:
    """Count how evenly the folds share each tag.

    Returns
    -------
    DataFrame of shape (n_tags, 4)
        ``positives``; ``least`` and ``most``, the smallest and the largest count in a fold;
        ``even``, the count in perfectly even folds.
    """
    counts = np.stack([labels[of_ad == fold].sum(axis=0, dtype=int) for fold in np.unique(of_ad)])
    return pd.DataFrame(
        {
            "positives": counts.sum(axis=0),
            "least": counts.min(axis=0),
            "most": counts.max(axis=0),
            "even": counts.sum(axis=0) / len(counts),
        }
    )
