"""Array columns as dense rows."""

import numpy as np
import pandas as pd

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
