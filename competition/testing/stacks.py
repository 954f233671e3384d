"""Made predictions of several models, plain and hard ones, that meta-learners are tested on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from competition.level2.data import Ads, StackData


def made_stack(
    n: int = 60, n_models: int = 3, n_tags: int = 5, n_test: int = 7, seed: int = 0
) -> tuple[StackData, Ads]:
    """Noisy level-1 models of unequal quality, ragged folds, two metadata, a missing input.

    Parameters
    ----------
    n, n_test : int
        Training and test ads.
    n_models, n_tags, seed : int

    Returns
    -------
    StackData, Ads
        The training ads and the test ads.
    """
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n + n_test)
    truth = rng.normal(size=(n + n_test, n_tags)) * 1.5 - np.linspace(0, 2, n_tags)
    truth += size[:, None] * np.linspace(-1, 1, n_tags)
    labels = (rng.random(truth.shape) < 1 / (1 + np.exp(-truth))).astype(np.uint8)
    noise = rng.normal(size=(n + n_test, n_models, n_tags)) * np.linspace(0.5, 3, n_models)[:, None]
    proba = (1 / (1 + np.exp(-(truth[:, None] + noise)))).astype(np.float32)
    metadata = pd.DataFrame({"size": size, "kind": rng.choice(["a", "b"], n + n_test)})
    metadata.loc[3, "size"] = np.nan
    missing = rng.random((n + n_test, 1)) < 0.2
    data = StackData(
        models=tuple(f"model_{m}" for m in range(n_models)),
        reads=np.arange(n_models)[:, None] == 0,
        ads=Ads(proba[:n], metadata[:n], missing[:n]),
        labels=labels[:n],
        fold=rng.choice([0, 1, 1, 2, 2, 2], n),
        top_k=20,
    )
    return data, Ads(proba[n:], metadata[n:], missing[n:])


def with_probabilities(data: StackData, probabilities: np.ndarray) -> StackData:
    """Return the same data with other level-1 predictions."""
    return replace(data, ads=Ads(probabilities, data.ads.metadata, data.ads.missing))


def _rare_tags() -> tuple[StackData, Ads]:
    data, test = made_stack()
    labels = data.labels.copy()
    labels[:, 0] = 0
    labels[:, 1] = data.fold == 1  # in the training ads of fold 1 there is none
    labels[:, 2] = 1
    return replace(data, labels=labels), test


def _no_metadata() -> tuple[StackData, Ads]:
    data, test = made_stack()
    return data.without_metadata(), test.without_metadata()


def _unknown_metadata() -> tuple[StackData, Ads]:
    data, test = made_stack()
    known, unknown = (
        Ads(ads.probabilities, ads.metadata.assign(size=np.nan, kind=None), ads.missing)
        for ads in (data.ads, test)
    )
    return replace(data, ads=known), unknown


def _certain() -> tuple[StackData, Ads]:
    data, test = made_stack()
    certain = with_probabilities(data, np.round(data.ads.probabilities))
    return certain, Ads(np.round(test.probabilities), test.metadata, test.missing)


def _constant() -> tuple[StackData, Ads]:
    data, test = made_stack()
    return with_probabilities(data, np.full_like(data.ads.probabilities, 0.3)), test


def _folds(names: list[int]) -> tuple[StackData, Ads]:
    data, test = made_stack()
    return replace(data, fold=np.array(names)[data.fold]), test


def _groups() -> tuple[StackData, Ads]:
    data, test = made_stack()
    return replace(data, group=np.array([f"brand {fold}" for fold in data.fold])), test


HARD: dict[str, Callable[[], tuple[StackData, Ads]]] = {
    "tags that all or no training ads carry": _rare_tags,
    "one model": lambda: made_stack(n_models=1),
    "one tag": lambda: made_stack(n_tags=1),
    "more tags than top_k": lambda: made_stack(n_tags=25),
    "no metadata": _no_metadata,
    "metadata all NA": _unknown_metadata,
    "no test ads": lambda: made_stack(n_test=0),
    "probabilities of 0 and 1": _certain,
    "constant models": _constant,
    "a dozen ads": lambda: made_stack(n=12),
    "two folds": lambda: _folds([0, 1, 1]),
    "folds that do not count from 0": lambda: _folds([4, 1, 7]),
    "ads in groups": _groups,
}


def better_at_the_top() -> tuple[StackData, Ads]:
    """Two models: the first is better in the first tag of each ad, the second in all tags.

    Every ad has three of six tags. The first model puts one of them first and the two others last;
    the second model puts all three first, but for a wrong one before them in every fifth ad.
    """
    data, test = made_stack(n=90, n_models=2, n_tags=6)
    order = np.random.default_rng(0).permuted(np.tile(np.arange(6), (97, 1)), axis=1)
    labels = np.zeros((97, 6), dtype=np.uint8)
    np.put_along_axis(labels, order[:, :3], 1, axis=1)
    ranked = np.empty((97, 2, 6), dtype=np.float32)
    ranked[:, 0] = [0.9, 0.1, 0.1, 0.3, 0.3, 0.3]
    ranked[:, 1] = [0.65, 0.6, 0.6, 0.2, 0.2, 0.2]
    ranked[::5, 1, 3] = 0.7
    probabilities = np.empty_like(ranked)
    np.put_along_axis(probabilities, np.stack([order, order], axis=1), ranked, axis=2)
    data = with_probabilities(replace(data, labels=labels[:90]), probabilities[:90])
    return data, Ads(probabilities[90:], test.metadata, test.missing)
