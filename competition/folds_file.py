"""folds.csv: made once, read by every later run, written anew where ads have come or gone.

Where ads are added, old ones keep their folds and new ones go where the tags even out.
"""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from competition.datasets.base import AdDataset
from competition.datasets.datafile import FOLD_FILES, read_datafile
from competition.datasets.problems import Problems, shortened
from competition.datasets.reading import Dialect, read_csv
from competition.folds import Folds, grown_folds, make_folds
from competition.utils.errors import FoldsError, some
from competition.utils.files import write_text
from competition.utils.progress import Progress
from competition.utils.spreadsheets import write_frame

LONGEST_NUMBER = 9  # digits of a fold
UTF8 = Dialect(encoding="utf-8")  # of the store's own file: nothing is guessed
MOST_COMPARED = 10_000  # pairs of ids
MOST_NAMED = 3


def write_folds(path: Path, folds: Folds) -> None:
    """Write folds.csv, whole or not at all."""
    text = io.StringIO(newline="")
    write_frame(text, pd.DataFrame({"id": folds.ids, "fold": folds.of_ad}))
    write_text(path, text.getvalue())


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


def _read_fold_of(path: Path, dialect: Dialect | None = None) -> dict[str, int]:
    problems = Problems()
    rows = read_csv(path, str(path), ["id", "fold"], problems, dialect)
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
    of_ad = np.array([fold_of[ad] for ad in dataset.train_ids.tolist()], dtype=np.int64)
    _check_numbers(path, set(of_ad.tolist()))
    _check_groups(path, of_ad, dataset)
    return Folds(dataset.train_ids, of_ad)


def _check_numbers(path: Path, used: set[int]) -> None:
    if len(used) < 2 or used != set(range(len(used))):
        raise FoldsError(
            f"{path} has the folds {sorted(used)}. Number them 0, 1, ..., n - 1, with n of at "
            "least 2."
        )


def _compare_ids(path: Path, fold_of: Mapping[str, int], dataset: AdDataset) -> None:
    ids = dataset.train_ids.tolist()
    missing = [ad for ad in ids if ad not in fold_of]
    extra = sorted(set(fold_of).difference(ids))
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
    folds, new ones go where the tags even out, and ads that are gone are left out. A fold without
    an ad goes, and the others are numbered anew.

    Parameters
    ----------
    path : Path
        folds.csv of the store.
    dataset : AdDataset
    n, seed : int
        Number and seed of new folds.
    given : Path or None
        A user's own folds, as `read_folds` takes them, which must name every ad. Ads that
        folds.csv knows must be together as they are there.
    progress : Progress, optional
        Is told when folds.csv grows, and of a group that is too large for even folds.

    Raises
    ------
    FoldsError
        If folds.csv does not fit the ads or differs from `given`, or the ads of a fold have no tag.

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
    own = None if given is None else read_folds(given, dataset)
    if path.is_file():
        return _read_or_grow(path, dataset, progress, own, given)
    folds = own or make_folds(dataset, n, seed)
    _check_tagged(folds, dataset)
    write_folds(path, folds)
    return folds


def stored_folds(path: Path, dataset: AdDataset) -> Folds | None:
    """Read folds.csv of the store, and write nothing.

    Returns
    -------
    Folds or None
        None where it is absent or ads have come or gone: `load_or_make_folds` then writes it.

    Raises
    ------
    FoldsError
        If folds.csv cannot be read or does not fit.
    """
    if not path.is_file():
        return None
    fold_of = _read_fold_of(path, UTF8)
    if fold_of.keys() != set(dataset.train_ids.tolist()):
        return None
    folds = folds_from(path, fold_of, dataset)
    _check_tagged(folds, dataset)
    return folds


def _read_or_grow(
    path: Path, dataset: AdDataset, progress: Progress, own: Folds | None, given: Path | None
) -> Folds:
    """Read folds.csv; write it anew where ads have come or gone, as `own` says if it is given."""
    fold_of = _read_fold_of(path, UTF8)
    new = [ad for ad in dataset.train_ids if ad not in fold_of]
    gone = sorted(set(fold_of) - set(dataset.train_ids))
    if not (new or gone) or len(new) == len(dataset.train_ids):
        folds = folds_from(path, fold_of, dataset)  # which refuses other ads altogether
        if own is not None and own.fingerprint != folds.fingerprint:
            raise _others(path, given)
        _check_tagged(folds, dataset)
        return folds
    n = len(set(fold_of.values()))
    _check_numbers(path, set(fold_of.values()))
    old = np.array([fold_of.get(ad, -1) for ad in dataset.train_ids], dtype=np.int64)
    if own is not None:
        if not same_folds(own.of_ad[old >= 0], old[old >= 0]):
            raise _others(path, given)
        of_ad = own.of_ad
    else:
        alone = dataset.train_ids.to_numpy(dtype=object)
        groups = alone if dataset.groups is None else dataset.groups
        of_ad = grown_folds(dataset.labels, groups, old, n)
    used, numbered = np.unique(of_ad, return_inverse=True)
    if len(used) < 2:
        raise FoldsError(
            f"{path}: all ads that are left have the fold {used[0]}, and two folds are needed. "
            "Remove it and the predictions beside it, and new folds are made; or bring the other "
            "ads back."
        )
    folds = folds_from(path, dict(zip(dataset.train_ids, numbered.tolist(), strict=True)), dataset)
    _check_tagged(folds, dataset)
    write_folds(path, folds)
    changes = [f"{len(new):,} ad(s) are new ({some(new)}) and get a fold"] if new else []
    if gone:
        changes.append(f"{len(gone):,} ad(s) are gone ({some(gone)}) and are left out")
    if own is None and len(used) < n:
        empty = ", ".join(str(fold) for fold in range(n) if fold not in used)
        changes.append(f"no ad of fold {empty} is left, so {len(used)} folds are numbered anew")
    kept = len(dataset.train_ids) - len(new)
    progress.remark(
        f"{path} is written anew: {'; '.join(changes)}. The other {kept:,} keep their folds. "
        "Models are trained again, on features that are kept."
    )
    for before, now in _near_misses(gone, new):
        progress.remark(
            f"Warning: the ad {before} that is gone and the new ad {now} differ in one character. "
            f"If they are one ad, because its id was corrected or {path} was damaged, its fold is "
            "another one now."
        )
    return folds


def _check_tagged(folds: Folds, dataset: AdDataset) -> None:
    """Refuse, before anything is trained, a fold that has no GAP."""
    for fold in range(folds.n):
        held_out = folds.of_ad == fold
        if not dataset.labels[held_out].any():
            raise FoldsError(
                f"{dataset.name}: none of the {held_out.sum():,} ads of fold {fold} has a tag, so "
                "what is predicted for them cannot be scored. Lower folds.n, or bring folds of "
                "your own by --folds."
            )


def same_folds(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether ads that share a fold in one share it in the other, whatever its number."""
    pairs = set(zip(first.tolist(), second.tolist(), strict=True))
    return len(pairs) == len({one for one, _ in pairs}) == len({two for _, two in pairs})


def _near_misses(gone: list[str], new: list[str]) -> list[tuple[str, str]]:
    """Pairs of ids that differ in one character; where both are digits, they are two numbers."""
    if len(gone) * len(new) > MOST_COMPARED:
        return []
    pairs = []
    for before in gone:
        for now in new:
            differ = [(a, b) for a, b in zip(before, now, strict=False) if a != b]
            one = len(before) == len(now) > 1 and len(differ) == 1
            if one and not (differ[0][0].isdigit() and differ[0][1].isdigit()):
                pairs.append((before, now))
    return pairs[:MOST_NAMED]


def _others(path: Path, given: Path | None) -> FoldsError:
    return FoldsError(
        f"{path} holds other folds than {given}, and stored predictions depend on them. Remove "
        f"{path} to start again with your folds."
    )
