"""The probe is a ridge logistic regression of mean features, its penalty chosen in training."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from competition.level1.models.probe import STRENGTHS, Probe, RidgeLogistic, cross_entropy


def made(n_ads: int, dims: int, n_tags: int, noise: float, seed: int = 0):
    """Arrays of 1 to 4 rows whose mean tells the tags, more or less."""
    rng = np.random.default_rng(seed)
    means = rng.normal(3.0, 2.0, (n_ads, dims))
    tells = np.random.default_rng(9).normal(size=(dims, n_tags))
    Y = ((means - 3) @ tells + noise * rng.normal(size=(n_ads, n_tags)) > 0).astype(np.uint8)
    cells = [np.repeat(row[None], rng.integers(1, 5), axis=0).astype(np.float16) for row in means]
    return frame(cells), Y


def frame(*columns: list) -> pd.DataFrame:
    found = {}
    for name, cells in zip(("visual", "sound"), columns, strict=False):
        held = np.empty(len(cells), dtype=object)
        held[:] = cells
        found[name] = held
    return pd.DataFrame(found)


@pytest.mark.parametrize("C", [0.003, 0.1, 1.0])
def test_all_tags_are_solved_as_one_by_one(C):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 12)).astype(np.float32)
    Y = (features @ rng.normal(size=(12, 5)) + rng.normal(size=(200, 5)) > 1).astype(np.uint8)
    coef, intercept = RidgeLogistic(features - features.mean(axis=0), Y).solve(C)
    intercept -= features.mean(axis=0) @ coef
    for tag, y in enumerate(Y.T):
        reference = LogisticRegression(C=C, tol=1e-8, max_iter=1000).fit(features, y)
        np.testing.assert_allclose(coef[:, tag], reference.coef_[0], atol=5e-3)
        np.testing.assert_allclose(intercept[tag], reference.intercept_[0], atol=5e-3)


def test_noise_calls_for_a_stronger_penalty():
    clear = Probe().fit(*made(150, 20, 3, noise=0.1))
    vague = Probe().fit(*made(150, 20, 3, noise=30.0))
    assert STRENGTHS[0] <= vague.C_ < clear.C_ <= STRENGTHS[-1]


def test_chosen_penalty_ranks_new_ads_better_than_the_extremes():
    X, Y = made(160, 60, 4, noise=4.0)
    model = Probe().fit(X.iloc[:100], Y[:100])
    features = model.arrays_.transform(X)

    def loss(C: float) -> float:
        coef, intercept = RidgeLogistic(features[:100], Y[:100]).solve(C)
        return cross_entropy(features[100:] @ coef + intercept, Y[100:])

    assert loss(model.C_) < min(loss(STRENGTHS[0]), loss(STRENGTHS[-1]))


def test_ad_without_arrays_is_told_from_an_average_one():
    X, Y = made(120, 4, 1, noise=1.0)
    missing = np.arange(120) % 3 == 0
    X.loc[missing, "visual"] = None
    Y[missing] = np.arange(missing.sum())[:, None] % 10 == 0  # the tag is rare among them
    model = Probe().fit(X, Y)
    assert model.predict_proba(X[missing]).mean() < 0.2 < model.predict_proba(X[~missing]).mean()
