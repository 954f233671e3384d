"""What predictions made elsewhere are worth after ads have come or gone."""

import numpy as np

from competition.datasets.base import AdDataset
from competition.folds_file import same_folds
from competition.oof.cards import ExternalCard, ExternalDetails
from competition.oof.fold_files import SCORING, Fingerprint, FoldPrediction, read_parquet
from competition.oof.store import OofStore
from competition.pipeline.fingerprints import shared_components
from competition.utils.errors import some
from competition.utils.progress import Progress

FILES = ("oof.parquet", "test.parquet")


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
        tests = test[tags].to_numpy(dtype=np.float32)
        for one in range(store.folds.n):
            held_out = oof.loc[fold == one, tags].to_numpy(dtype=np.float32)
            prediction = FoldPrediction(one, held_out, tests, 0.0)
            store.write_fold(card.model, prediction, fingerprint.value)
        details = ExternalDetails(
            **{name: getattr(card, name) for name in ExternalDetails.model_fields}
        )
        return store.finish(card.model, fingerprint, dataset, details)
