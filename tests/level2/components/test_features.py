"""The design matrix of the meta-learners."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from competition.level2.components.features import (
    KNOTS,
    encode_metadata,
    scale_of,
    standardised,
)


def designed(
    metadata: pd.DataFrame, missing: np.ndarray | None = None, n_train: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Encode all ads with what the first `n_train` teach, or all."""
    missing = np.zeros((len(metadata), 0), bool) if missing is None else missing
    encoding = encode_metadata(metadata[:n_train], missing[:n_train])
    return encoding.design(metadata, missing)


@given(arrays(np.float64, (12, 3), elements=st.floats(-1e6, 1e6)))
def test_standardised_columns_have_mean_0_and_spread_1_or_are_0(columns) -> None:
    scaled = standardised(columns, scale_of(columns[:8]))[:8]
    constant = np.isclose(scaled.std(axis=0), 0)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(scaled[:, ~constant].std(axis=0), 1, atol=1e-4)


def test_a_column_constant_in_training_is_0_elsewhere_too() -> None:
    columns = np.array([[3.0], [3.0], [7.0]])
    assert standardised(columns, scale_of(columns[:2]))[2, 0] == 0


def test_each_ad_is_transformed_on_its_own() -> None:
    rng = np.random.default_rng(0)
    metadata = pd.DataFrame({"size": rng.lognormal(size=40), "kind": list("ab") * 20})
    missing = rng.random((40, 1)) < 0.3
    encoding = encode_metadata(metadata[:30], missing[:30])
    before = np.hstack(encoding.design(metadata, missing))
    for row in (0, 35):
        alone = np.hstack(encoding.design(metadata[row : row + 1], missing[row : row + 1]))
        np.testing.assert_array_equal(alone[0], before[row])


def test_a_category_unseen_in_training_leaves_no_trace() -> None:
    kind = ["a"] * 10 + ["b"] * 10 + ["c"] * 10
    plain, _ = designed(pd.DataFrame({"kind": kind}), n_train=20)
    # Neither "a" nor "b", an ad is its distance from the training shares of both.
    np.testing.assert_allclose(sorted(plain[25]), [-0.5, -0.5, 0])


def test_a_column_of_another_type_than_in_training_is_read_as_in_training() -> None:
    metadata = pd.DataFrame({"n": np.arange(20.0), "kind": list("ab") * 10})
    encoding = encode_metadata(metadata, np.zeros((20, 0), bool))
    bare = pd.DataFrame({"n": pd.Series([None], dtype=object), "kind": [np.nan]})
    found = np.hstack(encoding.design(bare, np.zeros((1, 0), bool)))[0]
    missing = metadata.assign(n=np.nan, kind=None)[:1]
    np.testing.assert_array_equal(
        found, np.hstack(encoding.design(missing, np.zeros((1, 0), bool)))[0]
    )


def test_na_and_infinity_are_the_median_with_a_flag() -> None:
    values = [*map(float, range(20)), np.nan, np.inf] * 2 + [np.nan] * 3
    plain, hinges = designed(pd.DataFrame({"n": values}))
    middle = designed(pd.DataFrame({"n": [*values, 9.5]}), n_train=47)
    assert plain[20, 0] > 0 > plain[19, 0]
    np.testing.assert_array_equal(plain[20], plain[21])
    np.testing.assert_array_equal(hinges[20], middle[1][47])


def test_a_missing_input_is_a_flag() -> None:
    missing = np.arange(20)[:, None] < 8
    plain, _ = designed(pd.DataFrame(index=range(20)), missing)
    np.testing.assert_allclose(plain[:, 0], missing[:, 0] - 0.4, rtol=1e-6)


def test_hinges_bend_at_training_quantiles() -> None:
    _, hinges = designed(pd.DataFrame({"n": np.arange(101.0)}))
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
    matrices = designed(pd.DataFrame({"size": column}), n_train=6)
    assert all(np.isfinite(matrix).all() for matrix in matrices)
