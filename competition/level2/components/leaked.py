"""Folds that a level-1 model predicts suspiciously well, replaced by what the others expect."""

from collections.abc import Mapping

import numpy as np

from competition.evaluation.leaks import StandingOut, folds_standing_out
from competition.level2.components.expected import fill_expected


def fill_leaked_and_lacking(
    train: np.ndarray,
    test: np.ndarray,
    labels: np.ndarray,
    fold: np.ndarray,
    top_k: int,
    lacking: Mapping[int, tuple[np.ndarray, np.ndarray]],
) -> dict[int, StandingOut]:
    """Put the expected probability where a model has none, or a leaked one, in place.

    Where every model lacks ads or has such a fold, nothing says what to expect instead of leaked
    ones, and they stay.

    Parameters
    ----------
    train, test : ndarray of shape (n_ads, n_models, n_tags), dtype float32
    labels : ndarray of shape (n_train, n_tags), dtype uint8
    fold : ndarray of shape (n_train,), dtype int
    top_k : int
        Tags of an ad that enter GAP's list.
    lacking : mapping of int to (ndarray, ndarray)
        As of `fill_expected`.

    Returns
    -------
    dict of int to StandingOut
        The fold of each model that has such a one, by the model's position.
    """
    leaked = folds_standing_out(labels, train, fold, top_k)
    absent = dict(lacking)
    if len(absent.keys() | leaked.keys()) < train.shape[1]:
        for place, found in leaked.items():
            of_train, of_test = absent.get(place, (False, np.zeros(len(test), dtype=bool)))
            absent[place] = (of_train | (fold == found.fold), of_test)
    if absent:
        fill_expected(train, test, absent)
    return leaked
