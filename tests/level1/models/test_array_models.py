"""Networks over arrays: what they read, what is missing, and settings refused."""

import numpy as np
import pandas as pd
import pytest

from competition.level1.models.frames import Frames
from competition.level1.models.sound import Sound
from competition.level1.networks.arrays import MOST_ROWS, Arrays
from competition.testing.synthetic import auc, made_ads
from competition.utils.errors import ModelError

QUICK = {"hidden": 16, "epochs": 10}


def column(arrays: list[np.ndarray | None]) -> pd.Series:
    cells = np.empty(len(arrays), dtype=object)
    cells[:] = arrays
    return pd.Series(cells, index=[f"ad{i}" for i in range(len(arrays))])


def mean_auc(Y: np.ndarray, found: np.ndarray) -> float:
    return float(np.mean([auc(y, scores) for y, scores in zip(Y.T, found.T, strict=True)]))


@pytest.mark.parametrize("model", [Frames, Sound])
@pytest.mark.parametrize("pooling", ["mean", "attention", "nextvlad"])
def test_every_pooling_learns_what_the_rows_tell(model, pooling):
    X, Y = made_ads(("array",), 300)
    found = (
        model(pooling=pooling, hidden=32, epochs=10).fit(X[:200], Y[:200]).predict_proba(X[200:])
    )
    assert mean_auc(Y[200:], found) > 0.8


def test_sound_hears_the_order_of_rows_that_a_mean_of_rows_cannot():
    rng = np.random.default_rng(0)
    Y = (rng.random((200, 1)) < 0.5).astype(np.uint8)
    slow, fast = np.repeat([1.0, -1.0], 2), np.tile([1.0, -1.0], 2)
    waves = [np.tile(slow if y else fast, 6)[:, None] for y in Y[:, 0]]
    X = pd.DataFrame({"sound": column([w + rng.normal(0, 0.2, w.shape) for w in waves])})
    found = {
        model: model(pooling="mean", **QUICK).fit(X[:150], Y[:150]).predict_proba(X[150:])
        for model in (Frames, Sound)
    }
    assert mean_auc(Y[150:], found[Sound]) > 0.95
    assert mean_auc(Y[150:], found[Frames]) < 0.8


def test_scale_of_the_inputs_is_learned_from_the_training_ads():
    X, Y = made_ads(("array",), 100)
    scaled = X.map(lambda cell: cell.astype(np.float32) * 1000 + 500)
    plain = Frames(**QUICK).fit(X, Y).predict_proba(X)
    np.testing.assert_allclose(
        Frames(**QUICK).fit(scaled, Y).predict_proba(scaled), plain, atol=1e-3
    )


def test_scaler_is_the_mean_and_spread_of_all_rows():
    X, Y = made_ads(("array",), 30)
    model = Frames(hidden=8, epochs=1).fit(X, Y)
    rows = np.concatenate(list(X["visual"])).astype(np.float64)
    mean, scale = model.scalers_["visual"]
    np.testing.assert_allclose(mean, rows.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(scale, rows.std(axis=0), rtol=1e-5)


def test_dimension_that_never_varies_does_no_harm():
    X, Y = made_ads(("array",), 60)
    X["visual"] = column([np.full((3, 12), 7.0, dtype=np.float32)] * 60).to_numpy()
    assert np.isfinite(Frames(**QUICK).fit(X, Y).predict_proba(X)).all()


@pytest.mark.parametrize("model", [Frames, Sound])
def test_ad_without_arrays_gets_the_priors(model):
    X, Y = made_ads(("array",), 60)
    fitted = model(**QUICK).fit(X, Y)
    X = X.astype(object)
    X.loc["ad7", :] = None
    np.testing.assert_allclose(fitted.predict_proba(X)[7], Y.mean(axis=0), rtol=1e-5)


def test_column_missing_in_training_is_left_out():
    X, Y = made_ads(("array",), 60)
    without = X.assign(sound=column([None] * 60).to_numpy())
    fitted = Frames(**QUICK).fit(without, Y)
    np.testing.assert_array_equal(fitted.predict_proba(X), fitted.predict_proba(without))


def test_one_missing_array_leaves_the_other_to_be_read():
    X, Y = made_ads(("array",), 300)
    half = X.assign(sound=[None if i % 2 else cell for i, cell in enumerate(X["sound"])])
    found = Frames(**QUICK).fit(half[:200], Y[:200]).predict_proba(half[200:])
    assert mean_auc(Y[200:][1::2], found[1::2]) > 0.8


def test_long_array_is_read_at_evenly_spaced_rows():
    long = np.arange(4 * MOST_ROWS, dtype=np.float32)[:, None]
    arrays = Arrays(pd.DataFrame({"visual": column([long, long[:3]])}), [1])
    values, mask = arrays(np.array([0, 1]))
    assert values.shape == (2, MOST_ROWS, 1)
    np.testing.assert_array_equal(arrays.lengths, [MOST_ROWS, 3])
    np.testing.assert_array_equal(mask.sum(dim=1), [MOST_ROWS, 3])
    assert values[0, 0, 0] == 0
    assert values[0, -1, 0] == len(long) - 1


@pytest.mark.parametrize("model", [Frames, Sound])
def test_array_of_an_hour_is_predicted_like_others(model):
    X, Y = made_ads(("array",), 60)
    fitted = model(**QUICK).fit(X, Y)
    long = X.iloc[:2].copy()
    long["visual"] = column([np.tile(X["visual"].iloc[0], (2000, 1)), X["visual"].iloc[1]]).array
    found = fitted.predict_proba(long)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[1], fitted.predict_proba(X)[1], atol=1e-5)


def test_read_only_arrays_are_read(tmp_path):
    X, Y = made_ads(("array",), 60)
    for name in X:
        for cell in X[name]:
            cell.flags.writeable = False
    assert Frames(**QUICK).fit(X, Y).predict_proba(X).shape == Y.shape


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pooling": "max"}, "pooling is 'max'; choose one of mean, attention, nextvlad"),
        ({"rows_seen": 4}, "rows_seen is 4; it must be an odd number"),
        ({"epochs": 0}, "epochs is 0; it must be 1 or more"),
        ({"hidden": 0}, "hidden is 0"),
        ({"hidden": 18, "pooling": "nextvlad"}, "hidden is 18; NeXtVLAD .* a multiple of 4"),
        ({"device": "abacus"}, "no device 'abacus'"),
    ],
)
def test_settings_from_which_no_network_can_be_made_are_refused(settings, message):
    X, Y = made_ads(("array",), 20)
    with pytest.raises(ModelError, match=message):
        Frames(**settings).fit(X, Y)


def test_array_of_other_dimensions_is_refused_by_ad_and_column():
    X, Y = made_ads(("array",), 20)
    fitted = Frames(hidden=8, epochs=1).fit(X, Y)
    X["sound"] = column([*X["sound"][:3], np.ones((2, 5)), *X["sound"][4:]]).array
    with pytest.raises(ModelError, match=r"'ad3', column 'sound': .* \(2, 5\) .* have 6"):
        fitted.predict_proba(X)
