"""What a stack is made from, read from the store, and its predictions, written there."""

import math
import os
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path

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
from competition.utils.errors import WriteError
from competition.utils.files import why_not_written
from competition.utils.processes import another_lives, this_process

LARGE = 2**29  # bytes: predictions of more are read from a file, not held in memory
_mapped: set[str] = set()  # names of the files that this process has mapped
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
    n_tags = len(store.tags)
    train = _room((len(store.folds.ids), len(cards), n_tags), store.folder)
    test = _room((len(store.test_ids), len(cards), n_tags), store.folder)
    reads = np.zeros((len(cards), len(dataset.inputs)), dtype=bool)
    for place, card in enumerate(cards):
        oof, test[:, place] = store.read(card.model, card)
        train[:, place] = without_offsets(oof, store.folds.of_ad, card.fold_offsets)
        columns = set(card.inputs) if isinstance(card, Level1Card) else set()
        reads[place] = [bool(columns & set(one.columns)) for one in dataset.inputs.values()]
    missing = missing_inputs(dataset)
    lacking = {
        place: dataset.ads.index.isin(card.lacking)
        for place, card in enumerate(cards)
        if isinstance(card, ExternalCard) and card.lacking
    }
    is_train = (dataset.ads["split"] == "train").to_numpy()
    leaked = fill_leaked_and_lacking(
        train,
        test,
        dataset.labels,
        store.folds.of_ad,
        dataset.submission.top_k,
        {place: (of[is_train], of[~is_train]) for place, of in lacking.items()},
    )
    if lacking:
        marks = {f"prediction of {cards[model].model}": of for model, of in lacking.items()}
        missing = missing.assign(**marks)
        reads = np.column_stack([reads, np.eye(len(cards), dtype=bool)[:, list(lacking)]])
    frame = dataset.ads[list(metadata)]
    training, tests = (
        Ads(probabilities, frame.loc[ids], missing.loc[ids].to_numpy())
        for probabilities, ids in ((train, dataset.train_ids), (test, dataset.test_ids))
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
        leaked={cards[place].model: found for place, found in leaked.items()},
    )
    return data, tests


def told_apart(
    data: StackData, test: Ads, cards: Sequence[ModelCard]
) -> tuple[StackData, Ads, dict[str, str]]:
    """Leave out models made elsewhere that are constant or say what another says.

    Parameters
    ----------
    data, test
        What `stack_input` returns for `cards`.
    cards : sequence of Level1Card or ExternalCard

    Returns
    -------
    data : StackData
    test : Ads
    left_out : dict of str to str
        Of each model that is left out, the one that says the same; "" for a constant.
    """
    brought = [place for place, card in enumerate(cards) if isinstance(card, ExternalCard)]
    copies = alike(data.ads, brought)
    kept = [place for place in range(len(cards)) if place not in copies]
    if not copies or not kept:
        return data, test, {}
    names = data.models
    left_out = {
        names[place]: "" if of is None else names[of] for place, of in sorted(copies.items())
    }
    return data.of_models([names[place] for place in kept]), test.of_models(kept), left_out


def _room(shape: tuple[int, int, int], folder: Path) -> np.ndarray:
    """Return an array to be filled, in a file mapped into memory if it is large.

    The file lies in `folder` and goes with the array.
    """
    if math.prod(shape) * 4 <= LARGE:
        return np.empty(shape, dtype=np.float32)
    for left in folder.glob(".stacked.*.tmp"):  # of a run that was killed
        host, number, *_ = left.name.removeprefix(".stacked.").rsplit(".", 3)
        if left.name not in _mapped and not another_lives(f"{host}:{number}"):
            left.unlink(missing_ok=True)
    process = this_process().replace(":", ".")
    handle, name = tempfile.mkstemp(prefix=f".stacked.{process}.", suffix=".tmp", dir=folder)
    try:
        # A sparse file would end the process where the disk is full when it is filled.
        os.posix_fallocate(handle, 0, math.prod(shape) * 4)
    except OSError as bad:
        _remove(Path(name))
        raise WriteError(f"{name} cannot be written: {why_not_written(Path(name), bad)}") from bad
    finally:
        os.close(handle)
    room = np.memmap(name, dtype=np.float32, mode="w+", shape=shape)
    _mapped.add(Path(name).name)
    weakref.finalize(room.base, _remove, Path(name))
    return room


def _remove(mapped: Path) -> None:
    mapped.unlink(missing_ok=True)
    _mapped.discard(mapped.name)


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
