"""What a stack is made from, read from the store, and its predictions, written there."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from competition.datasets.base import AdDataset
from competition.evaluation.fold_offsets import without_offsets
from competition.level2.components.alike import alike
from competition.level2.components.leaked import fill_leaked_and_lacking
from competition.level2.crossfit import StackPredictions
from competition.level2.data import Ads, StackData
from competition.oof.cards import ExternalCard, Level1Card, ModelCard
from competition.oof.fold_files import FoldPrediction
from competition.oof.store import OofStore
from competition.pipeline.joined import Joined, read_joined, room, write_joined

STACK = "stack-"  # begins the name of a meta-learner's folder; no level-1 name has a hyphen


def missing_inputs(dataset: AdDataset) -> pd.DataFrame:
    """Say which inputs each ad lacks.

    Returns
    -------
    DataFrame of shape (n_ads, n_inputs), dtype bool
        An empty text, no file, or not a single value of metadata.
    """
    missing = {name: dataset.lacks(name) for name in dataset.inputs}
    return pd.DataFrame(missing, index=dataset.ads.index, dtype=bool)


def stack_input(
    store: OofStore,
    cards: Sequence[ModelCard],
    dataset: AdDataset,
    metadata: Sequence[str],
    metric: str = "gap",
) -> tuple[StackData, Ads]:
    """Collect what a meta-learner learns from, and the test ads.

    Offsets between fold models are removed (`competition.evaluation.fold_offsets`). The test
    predictions are the mean over folds and need no correction. A model made elsewhere may lack ads:
    they get what the other models lead to expect, and a mark among the missing inputs
    (`competition.level2.components.expected`). So does a fold that a model predicts suspiciously
    well (`competition.evaluation.leaks`), without a mark.

    Parameters
    ----------
    store : OofStore
    cards : sequence of Level1Card or ExternalCard
        Of the level-1 models whose stored predictions are stacked.
    dataset : AdDataset
    metadata : sequence of str
        Metadata columns that a meta-learner may see.
    metric : str
        What is to be best (`competition.evaluation.chosen_metric`).

    Raises
    ------
    StoreError
        If a model is not what its card describes, as where another run has made it anew.
    """
    missing = missing_inputs(dataset)
    lacking = {
        place: dataset.ads.index.isin(card.lacking)
        for place, card in enumerate(cards)
        if isinstance(card, ExternalCard) and card.lacking
    }
    joined = read_joined(store, cards, dataset)
    if joined is None:
        joined = _joined(store, cards, dataset, lacking)
        write_joined(joined, store, cards, dataset)
    read = [set(card.inputs) if isinstance(card, Level1Card) else set() for card in cards]
    reads = np.array(
        [[bool(of & set(one.columns)) for one in dataset.inputs.values()] for of in read],
        dtype=bool,
    ).reshape(len(cards), -1)
    if lacking:
        marks = {f"prediction of {cards[model].model}": of for model, of in lacking.items()}
        missing = missing.assign(**marks)
        reads = np.column_stack([reads, np.eye(len(cards), dtype=bool)[:, list(lacking)]])
    frame = dataset.ads[list(metadata)]
    training, tests = (
        Ads(probabilities, frame.loc[ids], missing.loc[ids].to_numpy())
        for probabilities, ids in (
            (joined.train, dataset.train_ids),
            (joined.test, dataset.test_ids),
        )
    )
    data = StackData(
        models=tuple(card.model for card in cards),
        reads=reads,
        ads=training,
        labels=dataset.labels,
        fold=store.folds.of_ad,
        top_k=dataset.submission.top_k,
        group=dataset.groups,
        metric=metric,
        leaked={cards[place].model: found for place, found in joined.leaked.items()},
    )
    return data, tests


def _joined(
    store: OofStore,
    cards: Sequence[ModelCard],
    dataset: AdDataset,
    lacking: Mapping[int, np.ndarray],
) -> Joined:
    """Read the predictions of the models, without offsets, and fill in what is expected."""
    n_tags = len(store.tags)
    train = room((len(store.folds.ids), len(cards), n_tags), store.folder)
    test = room((len(store.test_ids), len(cards), n_tags), store.folder)
    for place, card in enumerate(cards):
        oof, test[:, place] = store.read(card.model, card)
        train[:, place] = without_offsets(oof, store.folds.of_ad, card.fold_offsets)
    is_train = (dataset.ads["split"] == "train").to_numpy()
    leaked = fill_leaked_and_lacking(
        train,
        test,
        dataset.labels,
        store.folds.of_ad,
        dataset.submission.top_k,
        {place: (of[is_train], of[~is_train]) for place, of in lacking.items()},
    )
    return Joined(train, test, leaked)


def told_apart(
    data: StackData, test: Ads, cards: Sequence[ModelCard], store: OofStore
) -> tuple[StackData, Ads, dict[str, str]]:
    """Leave out models made elsewhere that are constant or say what another says.

    Parameters
    ----------
    data, test
        What `stack_input` returns for `cards`.
    cards : sequence of Level1Card or ExternalCard
    store : OofStore
        What is left lies beside it, in a file, if it is large.

    Returns
    -------
    data : StackData
    test : Ads
    left_out : dict of str to str
        Of each model that is left out, the one that says the same; "" for a constant.
    """
    brought = [place for place, card in enumerate(cards) if isinstance(card, ExternalCard)]
    lacking = {
        place: (data.ads.metadata.index.isin(of), test.metadata.index.isin(of))
        for place in brought
        if (of := getattr(cards[place], "lacking", ()))
    }
    copies = alike(data.ads, brought, test, lacking)
    kept = [place for place in range(len(cards)) if place not in copies]
    if not copies or not kept:
        return data, test, {}
    names = data.models
    left_out = {
        names[place]: "" if of is None else names[of] for place, of in sorted(copies.items())
    }
    shape = (len(data.labels), len(kept), data.labels.shape[1])
    data = data.of_models([names[place] for place in kept], room(shape, store.folder))
    return data, test.of_models(kept), left_out


def write_stack(
    name: str,
    output: StackPredictions,
    data: StackData,
    store: OofStore,
    fingerprint: str,
    seconds: float,
) -> None:
    """Store the folds of a cross-fitted meta-learner under `name`; all took `seconds`."""
    for fold in range(store.folds.n):
        prediction = FoldPrediction(
            fold, output.oof[data.fold == fold], output.fold_test[fold], seconds / store.folds.n
        )
        store.write_fold(name, prediction, fingerprint)
