"""What predictions made elsewhere are worth after ads have come or gone."""

from collections.abc import Sequence

import numpy as np

from competition.datasets.base import AdDataset
from competition.folds_file import same_folds
from competition.oof.cards import ExternalCard, ExternalDetails
from competition.oof.fold_files import SCORING, Fingerprint, read_parquet, shared_components
from competition.oof.store import OofStore
from competition.utils.errors import some
from competition.utils.progress import Progress

FILES = ("oof.parquet", "test.parquet")


def still_fits(
    store: OofStore,
    card: ExternalCard,
    unfit: Sequence[str],
    dataset: AdDataset,
    progress: Progress,
) -> ExternalCard | None:
    """Return the card of a model brought for other ads, labels or folds, or say what would help.

    Parameters
    ----------
    store : OofStore
    card : ExternalCard
    unfit : sequence of str
        What is other now, in messages.
    dataset : AdDataset
    progress : Progress

    Returns
    -------
    ExternalCard or None
        Of the model as it is stored now for the ads that are there; None if it is left out.
    """
    if lacking := lacks(store, card):
        progress.remark(
            f"{card.model}: has no prediction of {lacking}, so it is left out: bring files that "
            "have them by `add-oof`, or the same files by `add-oof --partial`"
        )
        return None
    brought = f"{card.model}: brought for {', '.join(unfit)}"
    left = for_ads_left(store, card, dataset, progress)
    if left is None:
        progress.remark(
            f"{brought}, so it is left out: bring the same files again by `add-oof "
            "--ignore-extra`, if they were made on these folds"
        )
        return None
    progress.remark(f"{brought}; it has all ads that are there now, and is stored for them")
    return left


def lacks(store: OofStore, card: ExternalCard) -> str:
    """Say which ads a model made elsewhere does not know, as those that are new."""
    found = []
    for file, what, ids in zip(
        FILES, ("training", "test"), (store.folds.ids, store.test_ids), strict=True
    ):
        path = store.path(card.model, file)
        known = read_parquet(path, path)["id"]
        new = ids[~ids.isin(known)]
        if len(new):
            found.append(f"{len(new):,} {what} ad(s) ({some(list(new))})")
    return " and ".join(found)


def for_ads_left(
    store: OofStore, card: ExternalCard, dataset: AdDataset, progress: Progress
) -> ExternalCard | None:
    """Store a model made elsewhere for the ads that are left of its own, as `add_oof` would.

    Parameters
    ----------
    store : OofStore
    card : ExternalCard
        Of a model that knows all ads of the store, and others.
    dataset : AdDataset
    progress : Progress

    Returns
    -------
    ExternalCard or None
        None where its folds are others or a tag is new, and where what is stored depends on ads
        that are gone: the curves of scores, and what stands for ads that its files lack.

    Raises
    ------
    StoreError
        If its files are damaged.
    """
    if card.scale == "score" or card.lacking:
        return None
    with store.locked([card.model], progress):
        if store.card(card.model) != card:
            return None
        store.verify(card.model, card)
        paths = [store.path(card.model, file) for file in FILES]
        oof, test = (read_parquet(path, path).set_index("id") for path in paths)
        oof, test = oof.loc[store.folds.ids], test.loc[store.test_ids]
        fold, tags = store.folds.of_ad, list(store.tags)
        if not {*tags} <= {*oof.columns} or not same_folds(oof["fold"].to_numpy(), fold):
            return None
        made_from = {**card.made_from, **shared_components(dataset, store.folds)}
        scoring = made_from.pop(SCORING)
        fingerprint = Fingerprint(made_from, scoring)
        values = (one[tags].to_numpy(dtype=np.float32) for one in (oof, test))
        details = ExternalDetails(
            **{name: getattr(card, name) for name in ExternalDetails.model_fields}
        )
        return store.finish_whole(card.model, fingerprint, dataset, details, *values)
