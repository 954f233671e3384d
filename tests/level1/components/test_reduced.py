"""Reduced features: Rocchio scores that no ad's own label reaches, and metadata as they are."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from competition.level1.components.reduced import SHRINKAGE, ReducedFeatures
from competition.level1.components.text import TextVectorizer
from competition.text.terms import TermsSpec, extract_terms
from competition.utils.errors import ModelError

SPEC = TermsSpec("word", (1, 1))
WORDS = ["red", "green", "blue", "cat", "dog", "sun", "sea"]


def texts(n_ads: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"story": [" ".join(rng.choice(WORDS, 5)) for _ in range(n_ads)]})


def labels(n_ads: int, n_tags: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, (n_ads, n_tags)).astype(np.uint8)


def metadata_of(train: pd.Series, later: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Feature of a single metadata column in training and in prediction."""
    features = ReducedFeatures(SPEC)
    first = features.fit_transform(train.to_frame("year"), labels(len(train)))
    return first[:, 0], features.transform(later.to_frame("year"))[:, 0]


def direct_scores(train: np.ndarray, Y: np.ndarray, ads: np.ndarray) -> np.ndarray:
    """Rocchio's formula tag by tag: mean of the tag's ads minus mean of all, shrunk."""
    scores = np.empty((len(ads), Y.shape[1]))
    for tag, y in enumerate(Y.T):
        n = y.sum()
        difference = train[y == 1].mean(axis=0) - train.mean(axis=0) if n else 0 * train[0]
        scores[:, tag] = ads @ difference * n / (n + SHRINKAGE)
    return scores


def test_scores_of_new_ads_are_rocchio_scores_of_all_training_ads():
    X, Y, new = texts(40), labels(40), texts(9, seed=1)
    features = ReducedFeatures(SPEC)
    features.fit_transform(X, Y)
    vectorizer = TextVectorizer(SPEC, min_df=2).fit(X)
    train, ads = vectorizer.transform(X).toarray(), vectorizer.transform(new).toarray()
    np.testing.assert_allclose(features.transform(new), direct_scores(train, Y, ads), atol=1e-6)


def test_scores_of_training_ads_are_rocchio_scores_of_the_other_inner_folds():
    X, Y = texts(10), labels(10)  # as many ads as inner folds: each holds out one ad
    scores = ReducedFeatures(SPEC, min_df=1).fit_transform(X, Y)
    train = TextVectorizer(SPEC, min_df=1).fit(X).transform(X).toarray()
    for ad in range(10):
        others = np.arange(10) != ad
        expected = direct_scores(train[others], Y[others], train[[ad]])
        np.testing.assert_allclose(scores[[ad]], expected, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(ad=st.integers(0, 29), tag=st.integers(0, 2), seed=st.integers(0, 5))
def test_training_features_of_an_ad_ignore_its_own_labels(ad, tag, seed):
    X, Y = texts(30), labels(30)
    flipped = Y.copy()
    flipped[ad, tag] ^= 1
    before = ReducedFeatures(SPEC, random_state=seed).fit_transform(X, Y)
    after = ReducedFeatures(SPEC, random_state=seed).fit_transform(X, flipped)
    np.testing.assert_array_equal(before[ad], after[ad])
    assert not np.array_equal(before, after)  # the label does reach the other ads


def test_counted_terms_give_the_features_of_their_texts():
    X, Y = texts(30), labels(30)
    counted = pd.DataFrame({"story": extract_terms(X["story"], SPEC)})
    np.testing.assert_array_equal(
        ReducedFeatures(SPEC).fit_transform(X, Y), ReducedFeatures(SPEC).fit_transform(counted, Y)
    )


def test_ad_without_text_scores_0():
    X = texts(30)
    X.loc[3, "story"] = ""
    features = ReducedFeatures(SPEC).fit_transform(X, labels(30))
    np.testing.assert_array_equal(features[3], 0)


def test_one_training_ad_scores_0():
    features = ReducedFeatures(SPEC, min_df=1).fit_transform(texts(1), labels(1))
    np.testing.assert_array_equal(features, np.zeros((1, 3)))


def test_metadata_come_before_the_scores_in_the_order_of_their_columns():
    X = texts(30).assign(year=np.arange(30.0), runtime=90)[["year", "story", "runtime"]]
    features = ReducedFeatures(SPEC).fit_transform(X, labels(30))
    assert features.shape == (30, 2 + 3)
    np.testing.assert_array_equal(features[:, :2], X[["year", "runtime"]].to_numpy(np.float32))


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1.5, np.nan, np.inf, -2.0]),
        pd.Series([1.5, None, None, -2.0], dtype="Float64"),
        pd.Series([1.5, np.nan, 1e300, -2.0]),
    ],
)
def test_numbers_are_kept_and_what_is_no_finite_float32_is_nan(column):
    expected = np.array([1.5, np.nan, np.nan, -2.0], dtype=np.float32)
    for found in metadata_of(column, column):
        np.testing.assert_array_equal(found, expected, strict=True)


def test_bools_are_0_and_1():
    np.testing.assert_array_equal(
        metadata_of(pd.Series([True, False]), pd.Series([True]))[0], [1, 0]
    )


def test_categories_are_ranked_by_frequency_then_by_name():
    train = pd.Series(["fr", "en", "en", "de", None], dtype="category")
    found, _ = metadata_of(train, train)
    np.testing.assert_array_equal(found, [2, 0, 0, 1, np.nan])


def test_category_that_no_training_ad_has_is_nan_even_where_the_dtype_knows_it():
    dtype = pd.CategoricalDtype(["ja", "en", "fr"])
    train = pd.Series(["en", "fr", "en"], dtype=dtype)
    _, found = metadata_of(train, pd.Series(["ja", "fr"], dtype=dtype))
    np.testing.assert_array_equal(found, [np.nan, 1])


def test_category_codes_do_not_depend_on_the_categories_of_the_later_column():
    train = pd.Series(["en", "fr", "en"], dtype="category")
    _, found = metadata_of(train, pd.Series(["fr"], dtype="category"))
    np.testing.assert_array_equal(found, [1])


def test_number_that_turns_into_text_is_refused():
    with pytest.raises(ModelError, match=r"Column 'year' held numbers .* now holds str"):
        metadata_of(pd.Series([1.0, 2.0]), pd.Series(["dear"], dtype="str"))


def test_cell_that_is_neither_text_nor_terms_is_refused_by_ad_and_column():
    X = pd.DataFrame({"story": [["a", "list"]]}, index=["ad7"])
    with pytest.raises(ModelError, match="Ad 'ad7', column 'story'"):
        ReducedFeatures(SPEC).fit_transform(X, labels(1))


def test_frame_without_columns_is_refused():
    with pytest.raises(ModelError, match="neither text nor metadata"):
        ReducedFeatures(SPEC).fit_transform(pd.DataFrame(index=range(4)), labels(4))
