"""Nearest neighbours against scikit-learn's, and the choice of what similarity is made of."""

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors

from competition.evaluation.metrics import gap
from competition.level1.models.knn import TEXTS, Knn
from competition.level1.models.tfidf_nblogreg import TfidfNBLogreg
from competition.utils.errors import ModelError


def arrays(rows: np.ndarray) -> np.ndarray:
    cells = np.empty(len(rows), dtype=object)
    cells[:] = [row[None].astype(np.float32) for row in rows]
    return cells


def made(n: int = 240, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Ads of eight kinds, whose pictures tell the kind; sounds tell nothing."""
    rng = np.random.default_rng(seed)
    kinds = np.random.default_rng(7).normal(size=(8, 20))
    kind = rng.integers(8, size=n)
    X = pd.DataFrame(
        {
            "picture": arrays(kinds[kind] + 0.5 * rng.normal(size=(n, 20))),
            "sound": arrays(rng.normal(size=(n, 30))),
        }
    )
    return X, np.stack([kind < 4, kind % 2 == 0, kind == 5], axis=1).astype(np.uint8)


def test_shares_are_those_of_scikit_learns_neighbours_by_cosine():
    X, Y = made()
    new, _ = made(50, seed=2)
    model = Knn(n_neighbors=15, power=2.0, prior_weight=1e-6).fit(X[["picture"]], Y)
    found = model.predict_proba(new[["picture"]])
    stacked = np.concatenate(list(X["picture"]))
    centre, spread = stacked.mean(axis=0), stacked.std(axis=0)
    neighbours = NearestNeighbors(n_neighbors=15, metric="cosine").fit((stacked - centre) / spread)
    distance, nearest = neighbours.kneighbors(
        (np.concatenate(list(new["picture"])) - centre) / spread
    )
    weights = np.maximum(1 - distance, 0) ** 2
    expected = np.einsum("nk,nkt->nt", weights, Y[nearest]) / weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_texts_are_compared_by_the_tf_idf_of_their_characters(real_data):
    films = pd.read_csv(real_data / "movie_posters" / "train.csv").fillna({"overview": ""})[:300]
    Y = films["genres"].str.get_dummies("|").to_numpy(np.uint8)[:, :5]
    plain = films["overview"].str.lower().str.replace(r"[^a-z0-9]+", " ", regex=True)
    X = pd.DataFrame({"overview": plain}, dtype=object)
    model = Knn(n_neighbors=1, power=1.0, prior_weight=1e-9).fit(X[:200], Y[:200])
    found = model.predict_proba(X[200:])
    theirs = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), min_df=2, sublinear_tf=True)
    training = theirs.fit_transform(X["overview"][:200])
    nearest = (theirs.transform(X["overview"][200:]) @ training.T).toarray().argmax(axis=1)
    learnable = np.ptp(Y[:200], axis=0) > 0
    same = (found[:, learnable].round() == Y[nearest][:, learnable]).all(axis=1)
    assert same.mean() > 0.98  # two training ads may be as near


def test_only_what_tells_tags_counts_as_similar():
    X, Y = made()
    model = Knn().fit(X, Y)
    assert model.chosen_ == ["picture"]
    others, _ = made(seed=9)
    X["sound"] = others["sound"]
    np.testing.assert_array_equal(
        model.predict_proba(X), Knn().fit(*made()).predict_proba(made()[0])
    )


def test_two_halves_of_the_evidence_are_added():
    rng = np.random.default_rng(3)
    X, Y = made(400)
    half = np.concatenate(list(X["picture"]))
    X = pd.DataFrame(
        {
            "left": arrays(half[:, :10] + rng.normal(size=(400, 10))),
            "right": arrays(half[:, 10:] + rng.normal(size=(400, 10))),
        }
    )
    model = Knn().fit(X[:300], Y[:300])
    assert sorted(model.chosen_) == ["left", "right"]
    both = gap(Y[300:], model.predict_proba(X[300:]))
    for name in X.columns:
        alone = Knn().fit(X.loc[:299, [name]], Y[:300]).predict_proba(X.loc[300:, [name]])
        assert both > gap(Y[300:], alone)


def test_ad_that_is_like_no_other_gets_the_prior():
    X, Y = made()
    X["text"] = np.where(Y[:, 0] == 1, "sunny beach hotel", "dragon sword arena")
    X = X[["text", "picture"]].astype(object)
    model = Knn().fit(X[["text"]], Y)
    assert model.chosen_ == [TEXTS]
    nothing = pd.DataFrame({"text": [""]}, dtype=object)
    np.testing.assert_allclose(model.predict_proba(nothing)[0], Y.mean(axis=0), rtol=1e-5)


def test_an_ad_in_training_is_not_its_own_neighbour_when_similarities_are_chosen():
    """Arrays that name each ad, and nothing else, would tag training ads without a fault."""
    rng = np.random.default_rng(4)
    X, Y = made()
    X["sound"] = arrays(np.eye(len(X)) + 0.01 * rng.normal(size=(len(X), len(X))))
    assert Knn(n_neighbors=1).fit(X, Y).chosen_ == ["picture"]


def test_array_of_other_dimensions_is_named():
    X, Y = made()
    new = pd.DataFrame({"picture": arrays(np.ones((1, 3))), "sound": arrays(np.ones((1, 30)))})
    with pytest.raises(ModelError, match=r"column 'picture'.*20 dimensions"):
        Knn().fit(X, Y).predict_proba(new)


def test_rare_film_genres_rank_better_with_it_than_without(real_data):
    films = pd.read_csv(real_data / "movie_posters" / "train.csv").fillna({"overview": ""})
    Y = films["genres"].str.get_dummies("|").to_numpy(np.uint8)
    X = films[["title", "overview"]].fillna("").astype(object)
    train = np.arange(len(X)) % 3 > 0
    neighbours, linear = (
        model.fit(X[train], Y[train]).predict_proba(X[~train]) for model in (Knn(), TfidfNBLogreg())
    )
    rare = Y[train].mean(axis=0) < 0.05
    alone = gap(Y[~train][:, rare], linear[:, rare])
    assert gap(Y[~train][:, rare], (linear + neighbours)[:, rare]) > alone


def test_of_many_training_ads_some_are_drawn_by_the_seed(monkeypatch):
    monkeypatch.setattr("competition.level1.models.knn.KEPT", 100)
    X, Y = made()
    one, again, other = (Knn(random_state=seed).fit(X, Y).predict_proba(X) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    assert gap(Y, one) > 0.9


def test_prior_counts_where_few_ads_have_what_is_compared():
    X, Y = made(300)
    X.loc[X.index[90:], "picture"] = None
    weak, strong = (
        Knn(prior_weight=weight).fit(X[["picture"]], Y).predict_proba(X[["picture"]])
        for weight in (0.01, 5.0)
    )
    prior = Y.mean(axis=0)
    assert np.abs(strong[:90] - prior).mean() < 0.5 * np.abs(weak[:90] - prior).mean()
    np.testing.assert_allclose(strong[90:], np.tile(prior, (210, 1)), rtol=1e-5)


def test_order_of_training_ads_does_not_decide_between_equal_neighbours():
    X, Y = made(400)
    X.loc[:149, "picture"] = X.loc[[0] * 150, "picture"].to_numpy()
    order = np.random.default_rng(5).permutation(400)
    one = Knn().fit(X[["picture"]], Y).predict_proba(X[["picture"]])
    other = Knn().fit(X.loc[order, ["picture"]], Y[order]).predict_proba(X[["picture"]])
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_constant_dimension_does_not_make_all_ads_alike():
    X, Y = made(400)
    wide = pd.DataFrame({"picture": X["picture"].map(lambda c: np.append(c, [[1000.1]], axis=1))})
    wide = wide.map(lambda cell: cell.astype(np.float32))
    one, other = (
        Knn().fit(of.loc[:299, ["picture"]], Y[:300]).predict_proba(of.loc[300:, ["picture"]])
        for of in (X, wide)
    )
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_training_arrays_of_other_dimensions_are_named():
    X, Y = made()
    X.at[5, "picture"] = np.ones((1, 7), dtype=np.float32)
    with pytest.raises(ModelError, match=r"Ad 5, column 'picture'.*20 dimensions"):
        Knn().fit(X, Y)
