"""The design matrix of the meta-learners."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from competition.level2.base import StackInput
from competition.level2.components.features import KNOTS, EncodedMetadata, standardised
from competition.level2.components.logits import Logits
from competition.utils.errors import ModelError


def stack_of(train: np.ndarray, test: np.ndarray) -> StackInput:
    none = pd.DataFrame(index=range(len(train)))
    return StackInput(
        models=("ocr", "asr"),
        train=train,
        test=test,
        train_metadata=none,
        test_metadata=none[: len(test)],
        train_missing=np.zeros((len(train), 0), bool),
        test_missing=np.zeros((len(test), 0), bool),
        reads=np.zeros((2, 0), bool),
        labels=np.zeros((len(train), train.shape[2]), np.uint8),
        fold=np.arange(len(train)) % 2,
    )


def test_logits_of_zero_and_one_are_finite_and_opposite() -> None:
    train = np.zeros((2, 2, 1), np.float32)
    train[1] = 1
    logits = Logits(stack_of(train, train[:0])).of_ads(np.arange(2))
    np.testing.assert_allclose(logits[0], -logits[1], rtol=1e-4)


@pytest.mark.parametrize("bad", [np.nan, -0.1, 1.5])
def test_a_probability_out_of_range_is_an_error_that_names_the_model_and_the_ad(bad) -> None:
    test = np.full((3, 2, 1), 0.5, np.float32)
    test[2, 1, 0] = bad
    with pytest.raises(ModelError, match=r"'asr' predicts .* of test ad number 2"):
        Logits(stack_of(np.full((4, 2, 1), 0.5, np.float32), test))


@given(arrays(np.float64, (12, 3), elements=st.floats(-1e6, 1e6)))
def test_standardised_columns_have_mean_0_and_spread_1_or_are_0(columns) -> None:
    rows = np.arange(8)
    scaled = standardised(columns, rows)[rows]
    constant = np.isclose(scaled.std(axis=0), 0)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(scaled[:, ~constant].std(axis=0), 1, atol=1e-4)


def test_a_column_constant_in_training_is_0_elsewhere_too() -> None:
    columns = np.array([[3.0], [3.0], [7.0]])
    assert standardised(columns, np.array([0, 1]))[2, 0] == 0


def test_only_training_rows_decide_how_the_others_are_transformed() -> None:
    rng = np.random.default_rng(0)
    metadata = pd.DataFrame({"size": rng.lognormal(size=40), "kind": list("ab") * 20})
    missing = rng.random((40, 1)) < 0.3
    rows = np.arange(30)
    before = np.hstack(EncodedMetadata(metadata, missing).design(rows))
    metadata.loc[35, "size"] = 1e9
    after = np.hstack(EncodedMetadata(metadata, missing).design(rows))
    others = np.arange(40) != 35
    np.testing.assert_array_equal(before[others], after[others])


def test_a_category_unseen_in_training_leaves_no_trace() -> None:
    kind = ["a"] * 10 + ["b"] * 10 + ["c"] * 10
    plain, _ = EncodedMetadata(pd.DataFrame({"kind": kind}), np.zeros((30, 0), bool)).design(
        np.arange(20)
    )
    # Neither "a" nor "b", an ad is its distance from the training shares of both.
    np.testing.assert_allclose(sorted(plain[25]), [-0.5, -0.5, 0, 0])


def test_na_and_infinity_are_the_median_with_a_flag() -> None:
    values = [*map(float, range(20)), np.nan, np.inf] * 2 + [np.nan] * 3
    plain, hinges = EncodedMetadata(pd.DataFrame({"n": values}), np.zeros((47, 0), bool)).design(
        np.arange(47)
    )
    middle = EncodedMetadata(pd.DataFrame({"n": [*values, 9.5]}), np.zeros((48, 0), bool)).design(
        np.arange(47)
    )
    assert plain[20, 0] > 0 > plain[19, 0]
    np.testing.assert_array_equal(plain[20], plain[21])
    np.testing.assert_array_equal(hinges[20], middle[1][47])


def test_a_missing_input_is_a_flag() -> None:
    missing = np.arange(20)[:, None] < 8
    plain, _ = EncodedMetadata(pd.DataFrame(index=range(20)), missing).design(np.arange(20))
    np.testing.assert_allclose(plain[:, 0], missing[:, 0] - 0.4, rtol=1e-6)


def test_hinges_bend_at_training_quantiles() -> None:
    values = np.arange(101.0)
    _, hinges = EncodedMetadata(pd.DataFrame({"n": values}), np.zeros((101, 0), bool)).design(
        np.arange(101)
    )
    bends = [int(np.argmax(np.diff(hinges[:, i]) > 1e-6)) for i in range(len(KNOTS))]
    assert bends == [20, 40, 60, 80]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([np.nan] * 10),
        pd.Series([None] * 10, dtype=object),
        pd.Series([pd.NA] * 10, dtype="Int64"),
        pd.Series([4] * 10),
        pd.Series([True, False] * 5),
        pd.Series(pd.Categorical(["a", None] * 5)),
        pd.Series(["x", pd.NA] * 5, dtype="string"),
    ],
    ids=["nan", "none", "pd.NA", "constant", "bool", "category", "string"],
)
def test_any_kind_of_column_gives_finite_numbers(column) -> None:
    parts = EncodedMetadata(pd.DataFrame({"fact": column}), np.zeros((10, 0), bool)).design(
        np.arange(6)
    )
    assert all(np.isfinite(part).all() for part in parts)
