"""The stack: a meta-learner over the stored predictions of the level-1 models."""

import time
from collections.abc import Sequence

import numpy as np
import pandas as pd

from competition.datasets.base import AdDataset
from competition.drift import levelled
from competition.errors import ModelError
from competition.level2.base import MetaLearner, StackInput, StackOutput
from competition.oof import OofStore
from competition.oof_files import FoldPrediction

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
    store: OofStore, models: Sequence[str], dataset: AdDataset, facts: Sequence[str]
) -> StackInput:
    """Collect what a meta-learner may see: stored predictions, facts, missing inputs, labels.

    Fold models that predict on different levels are levelled, see `competition.drift`. The test
    predictions, their mean, lie on the mean level as they are.
    """
    predictions = [store.read(model) for model in models]
    oofs = [
        levelled(oof, store.folds.of_ad, (store.card(model) or {}).get("test_levels", []))
        for model, (oof, _) in zip(models, predictions, strict=True)
    ]
    missing = missing_inputs(dataset)
    frame = dataset.ads[list(facts)]
    return StackInput(
        models=tuple(models),
        train=np.stack(oofs, axis=1),
        test=np.stack([test for _, test in predictions], axis=1),
        train_facts=frame.loc[dataset.train_ids],
        test_facts=frame.loc[dataset.test_ids],
        train_missing=missing.loc[dataset.train_ids].to_numpy(),
        test_missing=missing.loc[dataset.test_ids].to_numpy(),
        labels=dataset.labels,
        fold=store.folds.of_ad,
    )


def run_stack(
    name: str,
    meta_learner: MetaLearner,
    data: StackInput,
    store: OofStore,
    fingerprint: str,
) -> StackOutput:
    """Cross-fit a meta-learner and store its folds under `name`; return what it predicts.

    It gets one thread: batches this small are slower on two, and the bytes would depend on how
    many there are.
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
