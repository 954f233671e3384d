"""Training ads that nothing learns from, scored once at the end."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from competition.datasets.base import AdDataset
from competition.evaluation.metrics import Scores, score
from competition.folds import make_folds
from competition.oof.store import OofStore
from competition.pipeline.context import Context, P
from competition.utils.errors import FoldsError


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
    ids = dataset.train_ids[held]
    ads = dataset.ads.loc[dataset.train_ids[~held].append(ids).append(dataset.test_ids)].copy()
    ads.loc[ids, "split"] = "test"
    rest = replace(
        dataset, name=f"{dataset.name}-holdout-{share:g}", ads=ads, labels=dataset.labels[~held]
    )
    return rest, Holdout(ids, dataset.labels[held])


def set_aside(context: Context[P], share: float | None) -> tuple[Context[P], Holdout | None]:
    """Return the context without a share of its training ads, and these; all of it for None."""
    if share is None:
        return context, None
    dataset, held_out = hold_out(context.dataset, share, context.profile.folds.seed)
    return context.with_dataset(dataset), held_out


def score_holdout(
    dataset: AdDataset, store: OofStore, model: str, holdout: Holdout | None
) -> Scores | None:
    """Score what a finished model or stack predicts for the ads held out, if there are any."""
    if holdout is None:
        return None
    _, test = store.read(model)
    predicted = test[store.test_ids.get_indexer(holdout.ids)]
    dimensions = [tag.dimension for tag in dataset.tags]
    return score(holdout.labels, predicted, dimensions, top_k=dataset.submission.top_k)
