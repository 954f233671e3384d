"""Array columns as dense rows."""

import numpy as np
import pandas as pd
import pytest

from competition.level1.components.pooled_arrays import PooledArrays


def frame(*cells: np.ndarray | None) -> pd.DataFrame:
    column = np.empty(len(cells), dtype=object)
    column[:] = cells
    return pd.DataFrame({"visual": column})


def test_rows_are_standardised_means_over_time_and_a_flag() -> None:
    first, second = np.array([[1.0, 4], [3, 4]]), np.array([[6.0, 4]])
    features = PooledArrays()
    rows = features.fit_transform(frame(first, second))
    assert rows.dtype == np.float32
    assert np.allclose(rows, [[-1, 0, 0], [1, 0, 0]])
    assert np.allclose(features.transform(frame(np.array([[4.0, 5]]))), [[0, 1, 0]])


def test_missing_array_is_the_mean_of_those_there_and_flagged() -> None:
    features = PooledArrays()
    rows = features.fit_transform(frame(np.array([[1.0]]), np.array([[3.0]]), None, None))
    assert np.allclose(rows, [[-1, 0], [1, 0], [0, 1], [0, 1]])
    assert np.allclose(features.transform(frame(None)), [[0, 1]])


def test_column_that_no_training_ad_has_leaves_its_flag_alone() -> None:
    features = PooledArrays()
    assert features.fit_transform(frame(None, None)).tolist() == [[1], [1]]
    assert features.transform(frame(np.array([[1.0, 2]]))).tolist() == [[0]]


def test_columns_stand_side_by_side() -> None:
    X = frame(np.array([[1.0]]), np.array([[3.0]]))
    X["sound"] = np.array([None, None], dtype=object)
    assert np.allclose(PooledArrays().fit_transform(X), [[-1, 0, 1], [1, 0, 1]])


def test_other_ads_change_no_row() -> None:
    features = PooledArrays()
    features.fit_transform(frame(np.array([[1.0]]), np.array([[3.0]])))
    cells = [np.array([[5.0]]), None, np.array([[9.0]])]
    assert np.array_equal(
        features.transform(frame(*cells))[:1], features.transform(frame(cells[0]))
    )


def test_spread_puts_deviation_and_maximum_beside_the_mean() -> None:
    first, second = np.array([[1.0], [3]]), np.array([[6.0], [6]])
    rows = PooledArrays(spread=True).fit_transform(frame(first, second, None))
    assert np.allclose(rows, [[-1, 1, -1, 0], [1, -1, 1, 0], [0, 0, 0, 1]])


def test_spread_of_single_rows_is_left_out() -> None:
    X = frame(np.array([[1.0]]), np.array([[3.0]]))
    features = PooledArrays(spread=True)
    assert np.allclose(features.fit_transform(X), [[-1, 0], [1, 0]])
    assert np.allclose(features.transform(frame(np.array([[0.0], [4]]))), [[0, 0]])


def test_rows_that_do_not_change_have_no_deviation() -> None:
    """What rounding makes of equal rows is not blown up: a little movement is no outlier."""
    rng = np.random.default_rng(0)
    still = [np.repeat(rng.random((1, 8)), 7, axis=0).astype(np.float32) for _ in range(40)]
    pooled = PooledArrays(spread=True)
    learned = pooled.fit_transform(frame(*still))
    assert not learned[:, 8:16].any()
    moving = [(one + rng.normal(0, 1e-3, one.shape)).astype(np.float32) for one in still]
    assert np.abs(pooled.transform(frame(*moving))).max() < 10


def test_arrays_of_another_width_are_refused() -> None:
    pooled = PooledArrays(spread=True)
    pooled.fit_transform(frame(np.ones((1, 4)), np.zeros((1, 4))))
    with pytest.raises(ValueError, match="7 dimensions"):
        pooled.transform(frame(np.ones((1, 7)), np.ones((1, 7))))
