"""Words, characters and metadata in one model: what it gains over each, and does without."""

import numpy as np
import pandas as pd
import pytest

from competition.evaluation.metrics import gap
from competition.level1.models.joint_nblogreg import JointNBLogreg
from competition.level1.models.tfidf_nblogreg import TfidfNBLogreg
from competition.testing.synthetic import made_ads


def films(folder) -> tuple[pd.DataFrame, np.ndarray]:
    table = pd.read_csv(folder / "movie_posters" / "train.csv").fillna({"overview": ""})
    X = table[["overview", "release_year", "runtime", "budget"]]
    X = X.assign(language=table["language"].astype("category"))
    return X, table["genres"].str.get_dummies("|").to_numpy(np.uint8)


def test_film_genres_by_words_characters_and_metadata_beat_each_alone(real_data):
    X, Y = films(real_data)
    train = np.arange(len(X)) % 3 > 0

    def score(model, columns):
        found = model.fit(X.loc[train, columns], Y[train]).predict_proba(X.loc[~train, columns])
        return gap(Y[~train], found)

    everything = list(X.columns)
    joint = score(JointNBLogreg(), everything)
    assert joint > score(JointNBLogreg(analyzer="word"), everything) + 0.005
    assert joint > score(TfidfNBLogreg(analyzer="both"), ["overview"]) + 0.01
    assert joint > score(JointNBLogreg(), everything[1:]) + 0.05


def test_without_metadata_it_is_the_model_of_texts():
    X, Y = made_ads(("text",), 200)
    joint = JointNBLogreg(analyzer="word").fit(X, Y).predict_proba(X)
    texts = TfidfNBLogreg(analyzer="word").fit(X, Y).predict_proba(X)
    np.testing.assert_allclose(joint, texts, atol=1e-5)


TEXTS = list(made_ads(("text",), 2)[0].columns)


def test_ad_without_text_is_judged_by_its_metadata_and_one_without_anything_gets_the_prior():
    X, Y = made_ads(("text", "metadata"), 300)
    X.loc[X.index[:30], TEXTS] = ""
    model = JointNBLogreg().fit(X, Y)
    silent = X.iloc[30:60].copy()
    silent[TEXTS] = ""
    assert np.ptp(model.predict_proba(silent), axis=0).max() > 0.1
    nothing = made_ads(("text", "metadata"), 30, missing=("text", "metadata"))[0]
    found = model.predict_proba(nothing)
    np.testing.assert_allclose(found, np.tile(Y.mean(axis=0), (30, 1)), rtol=1e-5)


@pytest.mark.parametrize("weight", [0.0, 3.0])
def test_weight_of_metadata_says_how_much_it_counts(weight):
    X, Y = made_ads(("text", "metadata"), 300)
    model = JointNBLogreg(metadata_weight=weight).fit(X, Y)
    others = made_ads(("text", "metadata"), 300, seed=1)[0].set_axis(X.index)
    change = np.abs(model.predict_proba(others.assign(**X[TEXTS])) - model.predict_proba(X)).max()
    assert change == 0 if weight == 0 else change > 0.1
    silent = X[:5].assign(**dict.fromkeys(TEXTS, ""))
    from_prior = np.abs(model.predict_proba(silent) - Y.mean(axis=0)).max()
    assert from_prior < 1e-6 if weight == 0 else from_prior > 0.1


def test_many_tags_leave_room_for_fewer_terms(monkeypatch):
    X, Y = made_ads(("text",), 200)
    monkeypatch.setattr("competition.level1.models.joint_nblogreg.MOST_WEIGHTS", 40)
    model = JointNBLogreg().fit(X, Y)
    assert len(model.vectorizer_.terms_) == 40 // Y.shape[1]
