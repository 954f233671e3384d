"""Columns on disk come back as they were written."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.features.columns import (
    Column,
    content_digest,
    is_stored,
    read_columns,
    write_ragged,
    write_refs,
    write_series,
)
from competition.features.store import ArrayRef
from competition.utils.errors import StoreError
from tests.recorded import Recorded

IDS = pd.Index(["a", "b", "c"], name="id")


def column(path: Path) -> Column:
    return Column("value", "fingerprint", path)


@pytest.mark.parametrize(
    "values",
    [
        pd.Series(["x", "", "漢"], IDS, dtype="str"),
        pd.Series([1.5, np.nan, -2.0], IDS),
        pd.Series(["en", None, "fr"], IDS, dtype="category"),
    ],
    ids=["text", "number", "category"],
)
def test_series_is_read_back(values: pd.Series, tmp_path: Path) -> None:
    path = tmp_path / "column.parquet"
    write_series(path, values)
    pd.testing.assert_series_equal(read_columns([column(path)])["value"], values, check_names=False)


def test_arrays_of_unequal_length_are_read_back(tmp_path: Path) -> None:
    arrays = [np.arange(2 * n, dtype=np.float16).reshape(n, 2) for n in (3, 0, 1)]
    path = tmp_path / "column.ragged"
    write_ragged(path, IDS, arrays)
    read = read_columns([column(path)])["value"]
    assert list(read.index) == list(IDS)
    for found, expected in zip(read, arrays, strict=True):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.float16


def test_second_writer_of_the_same_column_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "column.ragged"
    for _ in range(2):
        write_ragged(path, IDS[:1], [np.ones((2, 2))])
    assert read_columns([column(path)])["value"]["a"].shape == (2, 2)
    assert sorted(tmp_path.iterdir()) == [path, tmp_path / "column.ragged.seal"]


def test_references_are_read_from_the_store_of_features(tmp_path: Path) -> None:
    shard = tmp_path / "shard.npy"
    np.save(shard, np.arange(10, dtype=np.float32))
    refs = pd.Series(
        [ArrayRef("f", "1", shard, 0, 2, 3), None, ArrayRef("f", "2", shard, 6, 2, 2)], IDS
    )
    path = tmp_path / "column.refs"
    path.mkdir()  # as damage may leave it
    write_refs(path, refs)
    read = read_columns([column(path)])["value"]
    np.testing.assert_array_equal(read["a"], [[0, 1, 2], [3, 4, 5]])
    assert read["b"] is None
    np.testing.assert_array_equal(read["c"], [[6, 7], [8, 9]])


def test_column_counts_as_stored_only_as_it_was_written(tmp_path: Path) -> None:
    progress, path = Recorded(), tmp_path / "column.ragged"
    assert not is_stored(path, progress)
    write_ragged(path, IDS[:1], [np.ones((2, 2))])
    assert is_stored(path, progress)
    assert progress.remarks == []
    np.save(path / "values.npy", np.zeros((2, 2)))
    assert not is_stored(path, progress)
    assert len(progress.remarks) == 1
    assert "column.ragged was damaged or removed" in progress.remarks[0]
    assert not list(tmp_path.iterdir())


def test_column_without_a_seal_was_not_written_to_its_end(tmp_path: Path) -> None:
    progress, path = Recorded(), tmp_path / "column.parquet"
    write_series(path, pd.Series([1.0, 2.0, 3.0], IDS))
    (tmp_path / "column.parquet.seal").unlink()
    assert not is_stored(path, progress)
    assert progress.remarks == []


def test_damaged_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "column.ragged"
    write_ragged(path, IDS[:1], [np.ones((2, 2))])
    np.save(path / "offsets.npy", np.array([0, 9]))
    with pytest.raises(StoreError, match=r"column\.ragged was changed .* Run again"):
        read_columns([column(path)])
    with pytest.raises(StoreError, match=r"absent\.parquet was changed or removed"):
        read_columns([column(tmp_path / "absent.parquet")])


def test_digest_depends_on_ids_values_and_type() -> None:
    values = pd.Series([1.0, 2.0, 3.0], IDS)
    others = [values + 1, values.astype("float32"), values.rename({"a": "z"}), values[::-1]]
    assert len({content_digest(series) for series in (values, *others)}) == 5
    assert content_digest(values.copy()) == content_digest(values)
