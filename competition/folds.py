"""The fold of each training ad: made once, written to folds.csv, read by every later run.

Where ads are added, old ones keep their folds and new ones go where the tags even out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from competition.datasets.base import AdDataset
from competition.datasets.datafile import FOLD_FILES, read_datafile
from competition.datasets.problems import Problems, shortened
from competition.datasets.reading import read_csv
from competition.utils.errors import FoldsError, some
from competition.utils.files import digest, write_text
from competition.utils.progress import Progress

LONGEST_NUMBER = 9  # digits of a fold


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

    @property
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


def grown_folds(labels: np.ndarray, groups: np.ndarray, of_ad: np.ndarray) -> np.ndarray:
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

    Returns
    -------
    ndarray of shape (n_ads,), dtype int64
    """
    codes, weight = _weights(labels, groups)
    fold_of = np.full(len(weight), -1)
    np.maximum.at(fold_of, codes, of_ad)
    old = fold_of >= 0
    load = np.zeros((int(of_ad.max()) + 1, weight.shape[1]))
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


def write_folds(path: Path, folds: Folds) -> None:
    """Write folds.csv, whole or not at all."""
    table = pd.DataFrame({"id": folds.ids, "fold": folds.of_ad})
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def read_folds(path: Path, dataset: AdDataset) -> Folds:
    """Read folds.csv, or the split files of the TAAC 2021 baseline; check that they fit the ads.

    Parameters
    ----------
    path : Path
        A folds.csv, or a folder that holds the baseline's ``val.txt``, which is fold 0, and
        ``train.txt``, which is fold 1. Of ads that these list, those without any file are passed
        over.
    dataset : AdDataset

    Raises
    ------
    FoldsError
        If an ad is missing, unknown or listed twice, a fold is not a number, the folds are not
        0 to n - 1, or a group is split over folds.
    """
    if path.is_dir():
        return folds_from(path, _read_datafiles(path, dataset), dataset)
    return folds_from(path, _read_fold_of(path), dataset)


def _read_datafiles(folder: Path, dataset: AdDataset) -> dict[str, int]:
    if not all((folder / name).is_file() for name in FOLD_FILES):
        raise FoldsError(
            f"{folder} is a folder without {' and '.join(FOLD_FILES)}: give a folds.csv, or the "
            "folder of these two files."
        )
    fold_of: dict[str, int] = {}
    known = set(dataset.train_ids)
    for fold, name in enumerate(FOLD_FILES):
        for ad in read_datafile(folder / name):
            if ad in fold_of:
                raise FoldsError(
                    f"{folder / name} (ad {ad}): the ad stands in {FOLD_FILES[0]} too. Take it out "
                    "of one of the files."
                )
            if ad in known:
                fold_of[ad] = fold
    return fold_of


def _read_fold_of(path: Path) -> dict[str, int]:
    problems = Problems()
    rows = read_csv(path, str(path), ["id", "fold"], problems)
    if problems.errors:
        raise FoldsError(str(problems.errors[0]))
    fold_of: dict[str, int] = {}
    for row in rows:
        ad, cell = row.cells["id"].strip(), row.cells["fold"].strip()
        if not (cell.isascii() and cell.isdecimal() and len(cell) <= LONGEST_NUMBER):
            raise FoldsError(
                f"{path}:{row.line} (ad {ad}): fold {shortened(cell)!r} is not a number. Write 0, "
                "1, 2, ...."
            )
        if ad in fold_of:
            raise FoldsError(
                f"{path}:{row.line} (ad {ad}): the ad stands above already. Keep one of the rows."
            )
        fold_of[ad] = int(cell)
    return fold_of


def folds_from(path: Path, fold_of: Mapping[str, int], dataset: AdDataset) -> Folds:
    """Return the folds that a file gives the ads, after checking that they fit.

    Raises
    ------
    FoldsError
        If an ad is missing or unknown, the folds are not 0 to n - 1, or a group is split over
        folds.
    """
    _compare_ids(path, fold_of, dataset)
    of_ad = np.array([fold_of[ad] for ad in dataset.train_ids], dtype=np.int64)
    used = sorted(set(of_ad.tolist()))
    if len(used) < 2 or used != list(range(len(used))):
        raise FoldsError(
            f"{path} has the folds {used}. Number them 0, 1, ..., n - 1, with n of at least 2."
        )
    _check_groups(path, of_ad, dataset)
    return Folds(dataset.train_ids, of_ad)


def _compare_ids(path: Path, fold_of: Mapping[str, int], dataset: AdDataset) -> None:
    missing = [ad for ad in dataset.train_ids if ad not in fold_of]
    extra = sorted(set(fold_of) - set(dataset.train_ids))
    for ads, fault in ((missing, "have no fold"), (extra, "are no training ads")):
        if ads:
            raise FoldsError(
                f"{path} was made for other ads: {len(ads)} ad(s) {fault} ({some(ads)}). It must "
                "name every training ad once. If it is the store's own and the ads were meant to "
                "change, remove it and the predictions beside it, or use another --out folder."
            )


def _check_groups(path: Path, of_ad: np.ndarray, dataset: AdDataset) -> None:
    if dataset.groups is None:
        return
    folds_of_group = pd.Series(of_ad).groupby(dataset.groups).nunique()
    split = folds_of_group[folds_of_group > 1]
    if len(split):
        raise FoldsError(
            f"{path} splits the group {split.index[0]!r} over {split.iloc[0]} folds, which makes "
            "the OOF scores too high. Give all ads of a group the same fold."
        )


def load_or_make_folds(
    path: Path,
    dataset: AdDataset,
    n: int,
    seed: int,
    given: Path | None = None,
    progress: Progress | None = None,
) -> Folds:
    """Read folds.csv of the store; where it is absent, write a user's own folds or new ones.

    Where the dataset has gained or lost ads since, folds.csv is written anew: old ads keep their
    folds, new ones go where the tags even out, and ads that are gone are left out.

    Parameters
    ----------
    path : Path
        folds.csv of the store.
    dataset : AdDataset
    n, seed : int
        Number and seed of new folds.
    given : Path or None
        A user's own folds, as `read_folds` takes them, which must name every ad.
    progress : Progress, optional
        Is told when folds.csv grows, and of a group that is too large for even folds.

    Raises
    ------
    FoldsError
        If folds.csv does not fit the ads, or differs from `given`.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from competition import load_dataset, load_or_make_folds, make_demo
    >>> with TemporaryDirectory() as folder:
    ...     make_demo(folder, 20, films=False)
    ...     ads = load_dataset(folder)
    ...     folds = load_or_make_folds(Path(folder, "folds.csv"), ads, 4, 0)
    >>> folds.n, len(folds.of_ad)
    (4, 20)
    """
    progress = progress or Progress()
    warning = dataset.warning_of_giant_group(n)
    if warning:
        progress.remark(f"Warning: {warning}")
    if given is not None:
        folds = read_folds(given, dataset)
        if path.is_file() and read_folds(path, dataset).fingerprint != folds.fingerprint:
            raise FoldsError(
                f"{path} holds other folds than {given}, and stored predictions depend on them. "
                f"Remove {path} to start again with your folds."
            )
    elif path.is_file():
        return _read_or_grow(path, dataset, progress)
    else:
        folds = make_folds(dataset, n, seed)
    if not path.is_file():
        write_folds(path, folds)
    return folds


def _read_or_grow(path: Path, dataset: AdDataset, progress: Progress) -> Folds:
    fold_of = _read_fold_of(path)
    new = [ad for ad in dataset.train_ids if ad not in fold_of]
    gone = sorted(set(fold_of) - set(dataset.train_ids))
    if not (new or gone) or len(new) == len(dataset.train_ids):
        return folds_from(path, fold_of, dataset)  # which refuses other ads altogether
    old = np.array([fold_of.get(ad, -1) for ad in dataset.train_ids], dtype=np.int64)
    groups = dataset.train_ids.to_numpy(dtype=object) if dataset.groups is None else dataset.groups
    of_ad = grown_folds(dataset.labels, groups, old)
    folds = folds_from(path, dict(zip(dataset.train_ids, of_ad.tolist(), strict=True)), dataset)
    write_folds(path, folds)
    changes = [f"{len(new):,} ad(s) are new ({some(new)}) and get a fold"] if new else []
    if gone:
        changes.append(f"{len(gone):,} ad(s) are gone ({some(gone)}) and are left out")
    kept = len(dataset.train_ids) - len(new)
    progress.remark(
        f"{path} is written anew: {'; '.join(changes)}. The other {kept:,} keep their folds. "
        "Models are trained again, on features that are kept."
    )
    return folds
