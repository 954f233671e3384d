"""Tree models: shared binning, cautious rare tags, and better than frequencies."""

import numpy as np
import pandas as pd
import pytest

from competition.evaluation.metrics import gap
from competition.level1.models.lightgbm import LightGBM
from competition.level1.models.shared_trees import SharedTrees
from competition.level1.models.xgboost import XGBoost
from competition.testing.synthetic import auc, made_ads

MODELS = [LightGBM, SharedTrees, XGBoost]


def metadata(n_ads: int = 120, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    return made_ads(("metadata",), n_ads, seed)


def noise(n_ads: int, seed: int = 0) -> pd.DataFrame:
    values = np.random.default_rng(seed).normal(size=(n_ads, 5))
    return pd.DataFrame(values, columns=list("abcde"))


def test_lightgbm_booster_of_a_tag_is_the_one_fitted_on_that_tag_alone():
    X, Y = metadata()
    together = LightGBM(n_estimators=10).fit(X, Y).predict_proba(X)
    for tag in range(Y.shape[1]):
        alone = LightGBM(n_estimators=10).fit(X, Y[:, [tag]]).predict_proba(X)
        np.testing.assert_array_equal(together[:, [tag]], alone)


@pytest.mark.parametrize("model", MODELS)
def test_ads_that_all_look_alike_get_the_priors(model):
    X = pd.DataFrame({"year": np.full(300, 2000.0)})
    Y = (np.arange(300)[:, None] % [2, 5, 50] == 0).astype(np.uint8)
    probabilities = model().fit(X, Y).predict_proba(X[:1])[0]
    np.testing.assert_allclose(probabilities, Y.mean(axis=0), rtol=0.1)


@pytest.mark.parametrize("model", MODELS)
def test_tag_of_five_ads_in_four_hundred_stays_near_its_prior_where_nothing_tells_it(model):
    Y = np.zeros((400, 2), dtype=np.uint8)
    Y[:5, 0] = 1
    Y[::2, 1] = 1
    unseen = model().fit(noise(400), Y).predict_proba(noise(400, seed=1))[:, 0]
    assert unseen.mean() < 3 * 5 / 400
    assert unseen.max() < 0.3


@pytest.mark.parametrize("model", MODELS)
def test_another_seed_gives_another_model(model):
    X, Y = metadata()
    first, second = (
        model(n_estimators=10, random_state=seed).fit(X, Y).predict_proba(X) for seed in (0, 1)
    )
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", ["text", "metadata"])
def test_either_kind_of_input_alone_is_enough_to_learn_from(model, kind):
    X, Y = made_ads((kind,), 300)
    found = model().fit(X[:200], Y[:200]).predict_proba(X[200:])
    assert np.mean([auc(y, scores) for y, scores in zip(Y[200:].T, found.T, strict=True)]) > 0.9


@pytest.mark.parametrize("model", MODELS)
def test_film_genres_are_ranked_far_better_than_by_their_frequency(model, real_data):
    films = pd.read_csv(real_data / "movie_posters" / "train.csv").fillna({"overview": ""})
    Y = films["genres"].str.get_dummies("|").to_numpy(np.uint8)
    X = films[["overview", "release_year", "runtime", "budget"]]
    X = X.assign(language=films["language"].astype("category"))
    train = np.arange(len(X)) % 3 > 0
    fitted = model(n_estimators=30, learning_rate=0.15).fit(X[train], Y[train])
    found = fitted.predict_proba(X[~train])
    frequency = np.tile(Y[train].mean(axis=0), (len(found), 1))
    gain = gap(Y[~train], found) - gap(Y[~train], frequency)
    assert gain > 0.1


def test_a_round_grows_one_tree_however_many_tags_there_are():
    X, Y = metadata()
    many = SharedTrees(n_estimators=10).fit(X, np.tile(Y, 30))
    assert many.leaf_values_.places.shape[0] == 10


def test_a_single_tag_gets_half_of_the_trees():
    X, Y = metadata()
    assert len(SharedTrees(n_estimators=10).fit(X, Y[:, :1]).leaf_values_.places) == 5


def test_each_of_many_tags_is_told_from_the_others():
    values = np.random.default_rng(0).normal(size=(800, 20))
    X, Y = pd.DataFrame(values), (values > 1).astype(np.uint8)
    X.columns = [f"v{column}" for column in X]
    found = SharedTrees().fit(X[:600], Y[:600]).predict_proba(X[600:])
    assert min(auc(y, scores) for y, scores in zip(Y[600:].T, found.T, strict=True)) > 0.8
