"""text_net: what it reads, and where its vocabulary comes from."""

import numpy as np
import pandas as pd
import pytest

from competition.level1.models.text_net import TextNet
from competition.testing.synthetic import auc, made_ads
from competition.utils.errors import ModelError

QUICK = {"hidden_size": 16, "epochs": 8, "batch_size": 16}


def texts(*columns: list[str]) -> pd.DataFrame:
    ids = [f"ad{i}" for i in range(len(columns[0]))]
    return pd.DataFrame({f"text{i}": c for i, c in enumerate(columns)}, index=ids)


def labels(n_ads: int) -> np.ndarray:
    return (np.arange(n_ads)[:, None] % [2, 3] == 0).astype(np.uint8)


def words(fitted: TextNet, X: pd.DataFrame, ad: int = 0) -> list[str]:
    return fitted.tokenizer_.convert_ids_to_tokens(fitted.batches(X).sequences[ad])


def test_vocabulary_comes_from_the_training_texts_alone():
    X = texts(["apple pear"] * 10)
    fitted = TextNet(**QUICK).fit(X, labels(10))
    before = fitted.tokenizer_.get_vocab()
    fitted.predict_proba(texts(["plum plum"]))
    assert {"apple", "pear"} < set(before)
    assert "plum" not in before
    assert fitted.tokenizer_.get_vocab() == before


def test_first_keeps_the_beginning_of_a_long_text():
    X = texts([" ".join(f"w{i}" for i in range(20))] * 4)
    fitted = TextNet(max_tokens=6, **QUICK).fit(X, labels(4))
    assert words(fitted, X) == ["[CLS]", *(f"w{i}" for i in range(6)), "[SEP]"]


def test_first_last_keeps_both_ends_of_a_long_text():
    X = texts([" ".join(f"w{i}" for i in range(20))] * 4)
    fitted = TextNet(max_tokens=6, keep="first_last", **QUICK).fit(X, labels(4))
    assert words(fitted, X) == ["[CLS]", "w0", "w1", "w2", "w17", "w18", "w19", "[SEP]"]


def test_texts_of_an_ad_follow_one_another_each_cut_to_its_share():
    X = texts(["a1 a2 a3 a4"] * 4, ["b1 b2 b3 b4"] * 4, [""] * 4)
    fitted = TextNet(max_tokens=6, **QUICK).fit(X, labels(4))
    assert words(fitted, X) == ["[CLS]", "a1", "a2", "[SEP]", "b1", "b2", "[SEP]", "[SEP]"]


@pytest.mark.parametrize("settings", [{"pooling": "cls"}, {"layers": 2, "heads": 4}])
def test_other_shapes_learn_too(settings):
    X, Y = made_ads(("text",), 240)
    fitted = TextNet(**{**QUICK, "epochs": 12, **settings}).fit(X[:160], Y[:160])
    found = fitted.predict_proba(X[160:])
    assert np.mean([auc(y, f) for y, f in zip(Y[160:].T, found.T, strict=True)]) > 0.65


def test_text_longer_than_the_encoder_reads_is_predicted():
    X, Y = made_ads(("text",), 60)
    fitted = TextNet(**QUICK).fit(X, Y)
    long = X.iloc[:2].copy()
    long.iloc[0] = "word1 " * 20_000
    found = fitted.predict_proba(long)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[1], fitted.predict_proba(X)[1], atol=1e-5)


def test_ad_without_text_gets_the_priors():
    X, Y = made_ads(("text",), 60)
    X.iloc[7] = ["", " \n"]
    found = TextNet(**QUICK).fit(X, Y).predict_proba(X)[7]
    np.testing.assert_allclose(found, Y.mean(axis=0), rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"keep": "last"}, "keep is 'last'; choose one of first, first_last"),
        ({"pooling": "max"}, "pooling is 'max'; choose one of mean, cls"),
        ({"max_tokens": 1}, "max_tokens is 1, less than one for each of 2 texts"),
        ({"epochs": 0}, "epochs is 0; it must be more than 0"),
        ({"learning_rate": -1.0}, "learning rate is -1.0"),
        ({"hidden_size": 15, "heads": 2}, "hidden_size is 15, no multiple of 2 heads"),
        ({"device": "abacus"}, "no device 'abacus'"),
    ],
)
def test_settings_from_which_no_network_can_be_made_are_refused(settings, message):
    X, Y = made_ads(("text",), 20)
    with pytest.raises(ModelError, match=message):
        TextNet(**settings).fit(X, Y)
