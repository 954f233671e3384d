"""Level-1 models that say what another says, or the same of every ad: told apart without labels."""

from collections.abc import Mapping, Sequence

import numpy as np

from competition.level2.components.logits import to_logits
from competition.level2.data import Ads

SAME = 0.9999  # correlation of logits from which on two models say the same
CELLS = 40_000  # ads x tags that are compared first
STILL = 1e-4  # spread of logits below which a model says the same of every ad


def alike(
    ads: Ads,
    places: Sequence[int],
    test: Ads,
    lacking: Mapping[int, tuple[np.ndarray, np.ndarray]],
) -> dict[int, int | None]:
    """Find models that are constant, or copies of another.

    Two models are copies where their logits, each tag around its own mean, correlate by 0.9999 or
    more over the training and test ads that both predict: nearly the same numbers, or the same on
    another scale. Of two copies the one that lacks more ads is found; of equal ones, the second.

    Parameters
    ----------
    ads, test : Ads
        The training ads, and the test ads.
    places : sequence of int
        Positions of the models that may be found; a copy may be one of any model.
    lacking : mapping of int to (ndarray, ndarray)
        Of each model that does not predict all ads, by its position: which training and which test
        ads it lacks, dtype bool.

    Returns
    -------
    dict of int to int or None
        For each model found, the position of the model that says the same, which is not found
        itself; None for a constant.
    """
    n_ads, _, n_tags = ads.shape
    rows = np.linspace(0, n_ads - 1, min(n_ads, max(2, CELLS // n_tags))).astype(np.intp)
    gram = _products(ads.read(rows))
    spread = np.sqrt(np.diag(gram) / (len(rows) * n_tags))
    likeness = _correlation(gram)
    none = np.zeros(n_ads, dtype=bool), np.zeros(len(test), dtype=bool)
    lacks = {place: sum(int(of.sum()) for of in lacking.get(place, none)) for place in places}
    found: dict[int, int | None] = {}
    for place in sorted(places, key=lambda place: (lacks[place], place)):
        if spread[place] < STILL:
            own = _products(ads.of_models([place]).probabilities)
            if np.sqrt(own[0, 0] / (n_ads * n_tags)) < STILL:
                found[place] = None
            continue
        before = [
            other
            for other in map(int, np.flatnonzero(likeness[place] >= SAME))
            if other not in found
            and other != place
            and (other not in lacks or (lacks[other], other) < (lacks[place], place))
        ]
        for other in before:
            known = [
                ~(one | two)
                for one, two in zip(lacking.get(place, none), lacking.get(other, none), strict=True)
            ]
            both = [
                of.of_models([place, other]).probabilities[rows]
                for of, rows in zip((ads, test), known, strict=True)
            ]
            if _correlation(_products(np.concatenate(both)))[0, 1] >= SAME:
                found[place] = other
                break
    return found


def _products(probabilities: np.ndarray) -> np.ndarray:
    """Inner products of the models' centred logits, (n_models, n_models), float64."""
    logits = to_logits(probabilities)
    logits -= logits.mean(axis=0, dtype=np.float64).astype(np.float32)
    gram = np.zeros((logits.shape[1], logits.shape[1]))
    for tag in range(logits.shape[2]):
        columns = logits[:, :, tag]
        gram += columns.T @ columns
    return gram


def _correlation(gram: np.ndarray) -> np.ndarray:
    """Correlations from inner products; 0 with a constant."""
    spread = np.sqrt(np.diag(gram))
    return np.asarray(gram / (np.outer(spread, spread) + 1e-12))
