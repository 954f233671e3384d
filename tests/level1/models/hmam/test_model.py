"""hmam as a level-1 model: tasks, ablations, attention, missing inputs."""

import numpy as np
import pandas as pd
import pytest

from competition.level1.models.hmam import Hmam
from competition.testing.synthetic import auc, made_ads
from competition.utils.errors import ModelError

DIMENSIONS = ("scene", "scene", "style", "style")


def ads(n_ads: int = 90) -> tuple[pd.DataFrame, np.ndarray]:
    """Made ads with objects; the first has none and no text, the second no image."""
    X, Y = made_ads(("text", "array"), n_ads)
    X = X.rename(columns={"visual": "regions"})
    X["regions"] = [None, *X["regions"].iloc[1:]]
    X["sound"] = [X["sound"].iloc[0], None, *X["sound"].iloc[2:]]
    X.iloc[0, X.columns.get_indexer(["title", "story"])] = ""
    return X, Y


def hmam(**changes) -> Hmam:
    quick = {"dim": 8, "hidden": 8, "epochs": 2, "learning_rate": 1e-2, "dimensions": DIMENSIONS}
    return Hmam(**{**quick, **changes})


@pytest.fixture(scope="module")
def fitted() -> Hmam:
    return hmam().fit(*ads())


def test_ad_is_predicted_alone_as_among_others(fitted):
    X, _ = ads(6)
    alone = np.vstack([fitted.predict_proba(X.iloc[[row]]) for row in range(len(X))])
    assert np.allclose(alone, fitted.predict_proba(X), atol=1e-5)


def test_ad_without_anything_gets_the_prior(fitted):
    nothing = ads(2)[0].assign(title="", story="", regions=None, sound=None)
    assert np.array_equal(fitted.predict_proba(nothing), np.tile(fitted.prior_, (2, 1)))


def test_dimensions_are_tasks_of_one_network(fitted):
    ((tasks, _),) = fitted.networks_
    assert [(task.name, task.columns.tolist(), task.weight) for task in tasks] == [
        ("scene", [0, 1], 200.0),
        ("style", [2, 3], 50.0),
    ]


def test_tags_without_dimensions_are_one_task():
    model = hmam(dimensions=None).fit(*ads())
    ((tasks, _),) = model.networks_
    assert [(task.columns.tolist(), task.weight) for task in tasks] == [([0, 1, 2, 3], 200.0)]


def test_weight_of_a_task_does_not_depend_on_what_a_fold_holds():
    X, Y = ads()
    Y[:, :2] = 0
    ((tasks, _),) = hmam().fit(X, Y).networks_
    assert [(task.name, task.columns.tolist(), task.weight) for task in tasks] == [
        ("style", [0, 1], 50.0)
    ]


def test_single_task_networks_know_nothing_of_other_tasks():
    X, Y = ads()
    model = hmam(multitask=False).fit(X, Y)
    alone = hmam(dimensions=None).fit(X, Y[:, :2])
    assert len(model.networks_) == 2
    assert np.array_equal(model.predict_proba(X)[:, :2], alone.predict_proba(X))


@pytest.mark.parametrize("ablation", ["autoencoder", "attention", "multitask"])
def test_each_ablation_changes_the_predictions(fitted, ablation):
    X, Y = ads()
    without = hmam(**{ablation: False}).fit(X, Y)
    assert not np.allclose(fitted.predict_proba(X), without.predict_proba(X), atol=1e-4)


def test_attention_is_read_out_per_ad_and_task(fitted):
    X, _ = ads(5)
    attention = fitted.attention_weights(X)
    assert list(attention) == ["scene", "style"]
    for seen in attention.values():
        assert [len(ad.objects) for ad in seen] == [
            0 if cell is None else len(cell) for cell in X["regions"]
        ]
        assert [len(ad.words) for ad in seen] == [len(ad.word_weights) for ad in seen]
        assert seen[0].words == ()
        assert seen[1].words == tuple(f"{X['title'].iloc[1]} {X['story'].iloc[1]}".split())
        sums = [(ad.objects.sum(), ad.word_weights.sum()) for ad in seen[1:]]
        assert np.allclose(sums, 1, atol=1e-6)
    scores = [seen[1].modalities for seen in attention.values()]
    assert scores[0].shape == (3,)
    assert not np.array_equal(*scores)


def test_without_attention_all_weights_are_equal():
    X, Y = ads()
    seen = hmam(attention=False).fit(X, Y).attention_weights(X)["style"][3]
    assert np.allclose(seen.objects, 1 / len(seen.objects))
    assert np.allclose(seen.word_weights, 1 / len(seen.words))
    assert seen.modalities.tolist() == [1, 1, 1]


def test_attention_finds_the_object_that_tells():
    rng = np.random.default_rng(0)
    signs = rng.choice([-4.0, 4.0], size=(300, 6))
    regions = np.stack([np.zeros_like(signs), signs], axis=2).astype(np.float32)
    regions[:, 2, 0] = 4.0  # the third object is marked: its sign is the tag, others' are not
    X = pd.DataFrame({"regions": list(regions)})
    Y = (signs[:, [2]] > 0).astype(np.uint8)
    model = hmam(dimensions=None, epochs=20, learning_rate=0.03).fit(X.iloc[:200], Y[:200])
    weights = np.array([ad.objects for ad in model.attention_weights(X.iloc[200:])["tags"]])
    assert weights[:, 2].mean() > 0.5
    assert auc(Y[200:, 0], model.predict_proba(X.iloc[200:])[:, 0]) > 0.95


def test_learning_rate_falls_tenfold():
    X, Y = ads(16)
    settings = {"batch_size": 16, "drop_every": 2, "learning_rate": 1e-2}  # one step an epoch

    def weights(epochs: int) -> np.ndarray:
        ((_, network),) = hmam(epochs=epochs, **settings).fit(X, Y).networks_
        return network.image.layers[0].weight.detach().numpy()

    # A step of Adamax is as long as the learning rate, at most.
    assert np.abs(weights(3) - weights(2)).max() <= 1e-3 * 1.01
    assert np.abs(weights(2) - weights(1)).max() > 5e-3


def test_vectors_of_a_file_are_used(tmp_path):
    from gensim.models import FastText
    from gensim.models.fasttext import save_facebook_model

    X, Y = ads()
    words = FastText([X["title"].iloc[1].split()], vector_size=8, min_count=1, bucket=50, workers=1)
    save_facebook_model(words, str(tmp_path / "words.bin"))
    model = hmam(vectors=str(tmp_path / "words.bin")).fit(X, Y)
    assert model.reader_.sizes_.words == 8
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dim": 9}, "even dim, got 9"),
        ({"epochs": 0}, "epochs above 0, got 0"),
        ({"alpha": -1.0}, "alpha of 0 or more, got -1"),
        ({"dropout": 1.0}, r"dropout in \[0, 1\), got 1"),
        ({"dimensions": ("a", "b")}, "2 dimensions for 4 tags"),
        ({"vectors": "nowhere.bin"}, "no file nowhere.bin"),
        ({"device": "abacus"}, "no device 'abacus'"),
    ],
)
def test_wrong_settings_are_refused(changes, message):
    with pytest.raises(ModelError, match=message):
        hmam(**changes).fit(*ads(12))


def test_attention_before_fitting_is_refused():
    with pytest.raises(ModelError, match="must be fitted"):
        hmam().attention_weights(ads(2)[0])


@pytest.mark.parametrize("multitask", [True, False])
def test_epoch_that_validation_ads_prefer_is_kept(multitask: bool) -> None:
    X, Y = ads()
    train, validation = slice(0, 60), slice(60, 90)
    unlike = 1 - Y[validation]  # so that to learn more is to score less

    def model(epochs: int) -> Hmam:
        return hmam(epochs=epochs, multitask=multitask)

    def scores(probabilities: np.ndarray) -> np.ndarray:
        return -((probabilities - unlike) ** 2).mean(axis=0)

    kept = model(5).fit_validated(X[train], Y[train], X[validation], scores)
    by_epoch = [model(n).fit(X[train], Y[train]).predict_proba(X[validation]) for n in range(1, 6)]
    tasks = [[0, 1, 2, 3]] if multitask else [[0, 1], [2, 3]]
    best = [int(np.argmax([np.mean(scores(found)[task]) for found in by_epoch])) for task in tasks]
    assert kept.epochs_ == [epoch + 1 for epoch in best]
    assert any(epoch < 4 for epoch in best)
    found = kept.predict_proba(X[validation])
    for task, epoch in zip(tasks, best, strict=True):
        assert np.allclose(found[:, task], by_epoch[epoch][:, task], atol=1e-6)
