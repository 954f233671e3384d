"""Training ads that nothing learns from, scored once at the end."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from competition.datasets.base import AdDataset
from competition.datasets.datafile import read_datafile
from competition.evaluation.metrics import Scores, score
from competition.folds import make_folds
from competition.oof.cards import StackCard
from competition.oof.store import OofStore
from competition.pipeline.context import Context, P
from competition.utils.errors import FoldsError
from competition.utils.files import PathLike


@dataclass(frozen=True, eq=False)
class Holdout:
    """Training ads that no fold, model or choice uses.

    Attributes
    ----------
    ids : Index of shape (n_held_out,)
    labels : ndarray of shape (n_held_out, n_tags), dtype uint8
    """

    ids: pd.Index
    labels: np.ndarray


def hold_out(dataset: AdDataset, share: float, seed: int) -> tuple[AdDataset, Holdout]:
    """Turn a share of the training ads into test ads, and set their labels aside.

    They are drawn as a fold is: with their share of every tag, groups whole.

    Parameters
    ----------
    dataset : AdDataset
    share : float
        Of the training ads, at most 0.5; the nearest of 1/2, 1/3, 1/4, ... is taken.
    seed : int

    Returns
    -------
    (AdDataset, Holdout)
        The dataset has a name of its own, and thus a store: its models are trained on fewer ads.

    Raises
    ------
    FoldsError
        If the share is not above 0 and at most 0.5, or there are too few ads or groups.
    """
    if not 0 < share <= 0.5:
        raise FoldsError(f"--holdout {share:g}: give a share above 0 and at most 0.5, like 0.1.")
    if share * len(dataset.train_ids) < 1:
        n = len(dataset.train_ids)
        raise FoldsError(f"--holdout {share:g}: of {n:,} training ads that is none. Give more.")
    held = make_folds(dataset, round(1 / share), seed).of_ad == 0
    return _without(dataset, held, f"{share:g}")


def hold_out_listed(dataset: AdDataset, path: Path) -> tuple[AdDataset, Holdout]:
    """Set the training ads aside that a file lists, as `hold_out` does with a share of them.

    Parameters
    ----------
    dataset : AdDataset
    path : Path
        Split file of the TAAC 2021 baseline, such as ``datafile/val.txt``. Ads that have no file
        here are passed over.

    Raises
    ------
    FoldsError
        If the file is malformed, or lists none or all of the training ads, or half of a group.
    """
    if path.exists() and not path.is_file():
        raise FoldsError(
            f"--holdout {path} is a folder, a device or a pipe: give a share such as 0.1, or a "
            "file that lists ads."
        )
    held = dataset.train_ids.isin(read_datafile(path))
    if not held.any() or held.all():
        which = "all" if held.all() else "none"
        raise FoldsError(
            f"--holdout {path} lists {which} of the {len(held):,} training ads: give a file that "
            "lists some of them."
        )
    groups = dataset.groups
    split = [] if groups is None else sorted(set(groups[held]) & set(groups[~held]))
    if split:
        raise FoldsError(
            f"--holdout {path} holds out a part of the group {split[0]!r} alone, so that its other "
            "ads would give the tags away. List all ads of a group or none."
        )
    return _without(dataset, held, path.stem)


def _without(dataset: AdDataset, held: np.ndarray, called: str) -> tuple[AdDataset, Holdout]:
    """Turn the training ads of a mask into test ads of a dataset of its own name."""
    ids = dataset.train_ids[held]
    ads = dataset.ads.loc[dataset.train_ids[~held].append(ids).append(dataset.test_ids)].copy()
    ads.loc[ids, "split"] = "test"
    rest = replace(
        dataset, name=f"{dataset.name}-holdout-{called}", ads=ads, labels=dataset.labels[~held]
    )
    return rest, Holdout(ids, dataset.labels[held])


def set_aside(
    context: Context[P], holdout: float | PathLike | None
) -> tuple[Context[P], Holdout | None]:
    """Return the context without the training ads held out, and these; all of it for None.

    Parameters
    ----------
    context : Context
    holdout : float, path or None
        A share of the training ads, or a file that lists some.
    """
    if holdout is None:
        return context, None
    if isinstance(holdout, int | float):
        dataset, held_out = hold_out(context.dataset, holdout, context.profile.folds.seed)
    else:
        dataset, held_out = hold_out_listed(context.dataset, Path(holdout))
    return context.with_dataset(dataset), held_out


def n_test_ads(store: OofStore, holdout: Holdout | None) -> int:
    """Count the test ads, without the training ads that are held out."""
    return len(store.test_ids) - (0 if holdout is None else len(holdout.ids))


def described(dataset: AdDataset, store: OofStore, holdout: Holdout | None) -> str:
    """Say how many ads, tags and folds there are."""
    held_out = "" if holdout is None else f", {len(holdout.ids):,} more held out,"
    return (
        f"{dataset.name}: {len(store.folds.ids):,} training ads{held_out} and "
        f"{n_test_ads(store, holdout):,} test ads, {len(store.tags)} tags, {store.folds.n} folds"
    )


def score_holdout(
    dataset: AdDataset, store: OofStore, stack: StackCard, holdout: Holdout | None
) -> Scores | None:
    """Score what a finished stack predicts for the ads held out, if there are any."""
    if holdout is None:
        return None
    _, test = store.read(stack.model, stack)
    predicted = test[store.test_ids.get_indexer(holdout.ids)]
    dimensions = [tag.dimension for tag in dataset.tags]
    return score(holdout.labels, predicted, dimensions, top_k=dataset.submission.top_k)
