"""The stack: a meta-learner over the stored predictions of the level-1 models."""

import math
import os
import tempfile
import time
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from competition.datasets.base import AdDataset
from competition.evaluation.fold_offsets import without_offsets
from competition.level2.base import MetaLearner, StackInput, StackOutput
from competition.oof.cards import Level1Card
from competition.oof.fold_files import FoldPrediction
from competition.oof.store import OofStore
from competition.utils.errors import ModelError
from competition.utils.processes import another_lives, this_process

LARGE = 2**30  # bytes: predictions of more are read from a file, not held in memory
_mapped: set[str] = set()  # names of the files that this process has mapped
STACK = "stack-"  # begins the name of a meta-learner's folder; no level-1 name has a hyphen


def missing_inputs(dataset: AdDataset) -> pd.DataFrame:
    """Say which inputs each ad lacks.

    Returns
    -------
    DataFrame of shape (n_ads, n_inputs), dtype bool
        An empty text, no file, or not a single fact.
    """
    missing = {}
    for name, given in dataset.inputs.items():
        cells = dataset.ads[list(given.columns)]
        missing[name] = (
            (cells == "").all(axis=1) if given.kind == "text" else cells.isna().all(axis=1)
        )
    return pd.DataFrame(missing, index=dataset.ads.index, dtype=bool)


def stack_input(
    store: OofStore, models: Sequence[str], dataset: AdDataset, metadata: Sequence[str]
) -> StackInput:
    """Collect what a meta-learner may see: stored predictions, metadata, missing inputs, labels.

    Offsets between fold models are removed (`competition.evaluation.fold_offsets`). The test
    predictions are the mean over folds and need no correction.
    """
    n_tags = len(store.tags)
    train = _room((len(store.folds.ids), len(models), n_tags), store.folder)
    test = _room((len(store.test_ids), len(models), n_tags), store.folder)
    reads = np.zeros((len(models), len(dataset.inputs)), dtype=bool)
    for place, model in enumerate(models):
        oof, test[:, place] = store.read(model)
        card = store.card(model)
        levels = card.fold_offsets if card else ()
        train[:, place] = without_offsets(oof, store.folds.of_ad, levels)
        columns = set(card.inputs) if isinstance(card, Level1Card) else set()
        reads[place] = [bool(columns & set(one.columns)) for one in dataset.inputs.values()]
    missing = missing_inputs(dataset)
    frame = dataset.ads[list(metadata)]
    return StackInput(
        models=tuple(models),
        train=train,
        test=test,
        train_metadata=frame.loc[dataset.train_ids],
        test_metadata=frame.loc[dataset.test_ids],
        train_missing=missing.loc[dataset.train_ids].to_numpy(),
        test_missing=missing.loc[dataset.test_ids].to_numpy(),
        reads=reads,
        labels=dataset.labels,
        fold=store.folds.of_ad,
    )


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
    os.close(handle)
    room = np.memmap(name, dtype=np.float32, mode="w+", shape=shape)
    _mapped.add(Path(name).name)
    weakref.finalize(room.base, _remove, Path(name))
    return room


def _remove(mapped: Path) -> None:
    mapped.unlink(missing_ok=True)
    _mapped.discard(mapped.name)


def run_stack(
    name: str,
    meta_learner: MetaLearner,
    data: StackInput,
    store: OofStore,
    fingerprint: str,
) -> StackOutput:
    """Cross-fit a meta-learner and store its folds under `name`; return what it predicts.

    It gets one thread: the bytes of some would depend on how many there are.
    """
    start = time.perf_counter()
    try:
        output = meta_learner.cross_fit(data, n_jobs=1)
    except (TypeError, ValueError) as bad:
        raise ModelError(
            f"The meta-learner {name} failed: {type(bad).__name__}: {bad}. Are its parameters, "
            f"{meta_learner.get_params()}, of the right types?"
        ) from bad
    seconds = (time.perf_counter() - start) / store.folds.n
    for fold in range(store.folds.n):
        held_out = output.oof[data.fold == fold]
        prediction = FoldPrediction(fold, held_out, output.fold_test[fold], seconds)
        store.write_fold(name, prediction, fingerprint)
    return output
