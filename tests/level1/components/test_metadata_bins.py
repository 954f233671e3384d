"""Bins of metadata against pandas' own, and what has none."""

import numpy as np
import pandas as pd

from competition.level1.components.metadata_bins import MetadataBins


def made(n: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "price": rng.lognormal(size=n),
            "likes": rng.integers(0, 3, n),
            "sale": rng.random(n) < 0.3,
            "language": pd.Categorical(rng.choice(["en", "fr", "zh"], n)),
        }
    )


def test_numbers_are_cut_into_bins_of_as_many_ads_as_pandas_cuts_them():
    X = made()
    found = MetadataBins(4).fit(X[["price"]]).transform(X[["price"]]).toarray()
    theirs = pd.get_dummies(pd.qcut(X["price"], 4)).to_numpy(float)
    assert np.abs(found.sum(axis=0) - theirs.sum(axis=0)).max() <= 1
    assert (found.argmax(axis=1) == theirs.argmax(axis=1)).mean() > 0.99


def test_every_ad_with_all_values_has_one_feature_of_each_column():
    X = made()
    found = MetadataBins().fit(X).transform(X)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.sum(axis=1), np.full((len(X), 1), 4))
    assert found.shape[1] == 10 + 3 + 2 + 3


def test_equal_numbers_share_a_bin_and_a_constant_has_one():
    X = pd.DataFrame({"zeros": [0] * 90 + list(range(1, 11)), "same": [7.0] * 100})
    found = MetadataBins().fit(X).transform(X)
    zeros = found[:90].toarray()
    assert (zeros == zeros[0]).all()
    assert found.shape[1] == 2 + 1


def test_what_is_missing_new_or_of_one_ad_alone_has_no_feature():
    training = pd.DataFrame(
        {"price": [1.0, 2.0, 3.0, np.nan], "shop": pd.Categorical(["a", "a", "b", None])}
    )
    bins = MetadataBins().fit(training)
    new = pd.DataFrame(
        {"price": [np.nan, np.inf, 9.0], "shop": pd.Categorical(["b", "other", "a"])}
    )
    np.testing.assert_array_equal(np.diff(bins.transform(new).indptr), [0, 0, 2])


def test_column_without_any_number_has_no_cut():
    X = pd.DataFrame({"price": np.full(5, np.nan)})
    found = MetadataBins().fit(X).transform(pd.DataFrame({"price": [1.0, np.nan]}))
    np.testing.assert_array_equal(found.toarray(), [[1], [0]])
