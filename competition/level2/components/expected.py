"""Level-1 models that do not predict every ad: what is expected where a prediction lacks.

A stack weighs a model's logit; for an ad without it the best stand-in is the logit that the other
models lead to expect. That is a linear regression on the others' logits, each tag around its own
mean: a linear stack then gives the others about the weights that it would give them without the
model. No label is used. A stand-in adds nothing of its own, and the ad is marked
(`competition.level2.data.Ads.missing`).
"""

import numpy as np

from competition.level2.components.logits import BLOCK, to_logits

NUMBERS = 50_000_000  # ads x models x tags that a regression is learned from, at most
RIDGE = 1e-3  # of an ad and tag: models that say nearly the same share their weight


def fill_expected(
    train: np.ndarray, test: np.ndarray, lacking: dict[int, tuple[np.ndarray, np.ndarray]]
) -> None:
    """Put the expected probability where a model has none, in place.

    Parameters
    ----------
    train, test : ndarray of shape (n_ads, n_models, n_tags), dtype float32
        With any probability where a model has none.
    lacking : dict of int to (ndarray, ndarray)
        Of each model that lacks predictions, by its position: which training and which test ads,
        dtype bool.
    """
    from scipy.special import expit

    complete = [model for model in range(train.shape[1]) if model not in lacking]
    for model, (of_train, of_test) in lacking.items():
        known = np.flatnonzero(~of_train)
        columns = [*complete, model]
        most = max(1, NUMBERS // (len(columns) * train.shape[2]))
        if len(known) > most:
            known = known[np.linspace(0, len(known) - 1, most).astype(np.intp)]
        logits = to_logits(train[known[:, None], columns])
        mean = logits.mean(axis=0, dtype=np.float64).astype(np.float32)
        logits -= mean
        products = np.zeros((len(columns), len(columns)))
        for tag in range(train.shape[2]):
            products += logits[:, :, tag].T @ logits[:, :, tag]
        n_cells = len(known) * train.shape[2]
        normal = products[:-1, :-1] + RIDGE * n_cells * np.eye(len(complete))
        weights = np.linalg.solve(normal, products[:-1, -1]).astype(np.float32)
        for array, mask in ((train, of_train), (test, of_test)):
            for rows in _blocks(np.flatnonzero(mask)):
                others = to_logits(array[rows[:, None], complete])
                others -= mean[:-1]
                array[rows, model] = expit(mean[-1] + weights @ others)


def _blocks(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
