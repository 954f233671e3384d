"""Files of predictions made elsewhere: all three forms read alike, every fault named."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from competition.oof.external_files import read_predictions
from competition.oof.external_forms import PredictionFile
from competition.oof.scales import probabilities_of
from competition.utils.errors import PredictionsError

IDS = ["a", "b", "c"]
TAGS = ["War", "Love"]
VALUES = np.array([[0.25, 0.5], [0.125, 1.0], [0.0, 0.75]])
FORMS = [".csv", ".parquet", ".npz"]


def write(
    path: Path,
    ids: list = IDS,
    tags: list = TAGS,
    values: np.ndarray = VALUES,
    fold: list | None = None,
) -> Path:
    if path.suffix == ".npz":
        told = {} if fold is None else {"fold": fold}
        np.savez(path, ids=ids, tags=tags, probabilities=values, **told)
        return path
    frame = pd.DataFrame(np.asarray(values), columns=tags)
    frame.insert(0, "id", ids)
    if fold is not None:
        frame.insert(1, "fold", fold)
    if path.suffix == ".csv":
        frame.to_csv(path, index=False, na_rep="nan")
    else:
        frame.to_parquet(path)
    return path


def read(path: Path) -> PredictionFile:
    return read_predictions(path, IDS, TAGS, "training")


@pytest.mark.parametrize("form", FORMS)
@given(rows=st.permutations(range(3)), columns=st.permutations(range(2)))
def test_rows_and_columns_are_matched_by_name(
    form: str, rows: list, columns: list, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("files") / f"oof{form}"
    ids, tags = [IDS[row] for row in rows], [TAGS[column] for column in columns]
    found = read(write(path, ids, tags, VALUES[np.ix_(rows, columns)], fold=list(rows)))
    np.testing.assert_array_equal(found.values, VALUES)
    assert found.fold is not None
    assert found.fold.tolist() == [0, 1, 2]


@pytest.mark.parametrize("form", FORMS)
def test_folds_are_optional(form: str, tmp_path: Path) -> None:
    assert read(write(tmp_path / f"oof{form}")).fold is None


def test_index_named_id_is_the_ids(tmp_path: Path) -> None:
    frame = pd.DataFrame(VALUES, columns=TAGS, index=pd.Index(IDS, name="id"))
    frame.to_parquet(tmp_path / "oof.parquet")
    np.testing.assert_array_equal(read(tmp_path / "oof.parquet").values, VALUES)


def test_tag_named_fold_is_a_tag(tmp_path: Path) -> None:
    path = write(tmp_path / "oof.csv", tags=["fold", "War"])
    found = read_predictions(path, IDS, ["War", "fold"], "training")
    np.testing.assert_array_equal(found.values, VALUES[:, ::-1])
    assert found.fold is None


def test_ids_that_are_numbers_are_read_as_texts(tmp_path: Path) -> None:
    path = write(tmp_path / "oof.npz", ids=[3, 1, 2])
    assert read_predictions(path, ["1", "2", "3"], TAGS, "test").ids == ("1", "2", "3")


FAULTS = {
    "missing ad": ({"ids": ["a", "b"], "values": VALUES[:2]}, r"lacks 1 training ad\(s\): c"),
    "unknown ad": (
        {"ids": [*IDS, "x"], "values": np.vstack([VALUES, VALUES[:1]])},
        r"(line 5|row 3 \(from 0\)) \(ad x\): the dataset has no such training ad",
    ),
    "ad given twice": (
        {"ids": ["a", "b", "b"]},
        r"(line 4|row 2 \(from 0\)) \(ad b\): the ad is given twice, first in (line 3|row 1)",
    ),
    "missing tag": ({"tags": ["War"], "values": VALUES[:, :1]}, r"lacks 1 tag\(s\): Love"),
    "unknown tag": ({"tags": ["War", "Lov"]}, "no tag 'Lov'. Did you mean 'Love'"),
    "fold is no number": ({"fold": ["0", "one", "0"]}, r"\(ad b\): fold 'one' is not a whole"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_named_with_its_place(fault: str, form: str, tmp_path: Path) -> None:
    content, message = FAULTS[fault]
    path = write(tmp_path / f"oof{form}", **content)
    with pytest.raises(PredictionsError, match=message):
        read(path)


def test_text_in_place_of_a_number_is_named(tmp_path: Path) -> None:
    with (tmp_path / "oof.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", *TAGS], ["a", "0.5", "high"]])
    with pytest.raises(PredictionsError, match=r"line 2 \(ad a\): the tag 'Love' has 'high'"):
        read(tmp_path / "oof.csv")


UNREADABLE = {
    "oof.txt": (b"", "read from .csv, .parquet, .npz"),
    "oof.csv": (b"ad,War\na,1\n", "no column id"),
    "oof.parquet": (b"no parquet", "no Parquet file that can be read"),
    "oof.npz": (b"no zip", "no NPZ file of plain arrays"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable_file_is_named(name: str, tmp_path: Path) -> None:
    content, message = UNREADABLE[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PredictionsError, match=message):
        read(tmp_path / name)


def test_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PredictionsError, match="There is no file"):
        read(tmp_path / "oof.csv")


def test_pickled_npz_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "oof.npz"
    np.savez(path, ids=np.array(IDS, dtype=object), tags=TAGS, probabilities=VALUES)
    with pytest.raises(PredictionsError, match="Save ids and tags as numpy strings"):
        read(path)


def test_npz_of_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PredictionsError, match=r"\(3, 2\), got float64 of shape \(2, 3\)"):
        read(write(tmp_path / "oof.npz", values=VALUES.T))


@pytest.mark.parametrize("form", FORMS)
def test_extra_tags_and_ads_are_left_out_where_that_is_asked_for(form: str, tmp_path: Path) -> None:
    values = np.vstack([np.column_stack([VALUES, [7.0, 8.0, 9.0]]), [[0.5, 0.5, 0.5]]])
    path = write(tmp_path / f"oof{form}", [*IDS, "gone"], [*TAGS, "Space"], values)
    found = read_predictions(path, IDS, TAGS, "training", ignore_extra=True)
    np.testing.assert_array_equal(found.values, VALUES)


def test_extra_column_of_texts_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "oof.csv"
    pd.DataFrame({"id": IDS, "title": ["x", "y", "z"], "War": 0.5, "Love": 0.25}).to_csv(path)
    found = read_predictions(path, IDS, TAGS, "training", ignore_extra=True)
    np.testing.assert_array_equal(found.values, [[0.5, 0.25]] * 3)


@pytest.mark.parametrize("form", FORMS)
def test_missing_ads_are_nan_where_the_file_may_be_partial(form: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"oof{form}", ["c", "a"], TAGS, VALUES[[2, 0]], fold=[1, 0])
    found = read_predictions(path, IDS, TAGS, "training", partial=True)
    np.testing.assert_array_equal(found.values, [VALUES[0], [np.nan] * 2, VALUES[2]])
    assert found.lacking.tolist() == [False, True, False]
    assert found.fold is not None
    assert found.fold.tolist() == [0, -1, 1]


def test_file_of_other_ads_alone_is_refused_even_where_it_may_be_partial(tmp_path: Path) -> None:
    path = write(tmp_path / "oof.csv", ["x", "y", "z"])
    with pytest.raises(PredictionsError, match=r"lacks 3 training ad\(s\)"):
        read_predictions(path, IDS, TAGS, "training", ignore_extra=True, partial=True)


@pytest.mark.parametrize("form", FORMS)
def test_an_ad_without_a_number_is_missing_where_the_file_may_be_partial(
    form: str, tmp_path: Path
) -> None:
    values = [VALUES[0], [np.nan] * 2, VALUES[2]]
    path = write(tmp_path / f"oof{form}", values=np.array(values), fold=[0.0, np.nan, 1.0])
    found = read_predictions(path, IDS, TAGS, "training", partial=True)
    np.testing.assert_array_equal(found.values, values)
    assert found.lacking.tolist() == [False, True, False]
    assert found.fold is not None
    assert found.fold.tolist() == [0, -1, 1]
    with pytest.raises(PredictionsError, match=r"\(ad b\): no tag has a number .*--partial"):
        read(path)
    write(path, values=np.full((3, 2), np.nan), fold=[0, 0, 1])
    with pytest.raises(PredictionsError, match="no number for any training ad"):
        read_predictions(path, IDS, TAGS, "training", partial=True)


def test_a_single_empty_cell_is_refused(tmp_path: Path) -> None:
    (tmp_path / "oof.csv").write_text("id,War,Love\na,0.5,\nb,0.5,1\nc,0.5,1\n")
    found = read_predictions(tmp_path / "oof.csv", IDS, TAGS, "training", partial=True)
    with pytest.raises(PredictionsError, match=r"line 2 \(ad a\): the tag 'Love' has nan"):
        probabilities_of(found, "probability")


def test_folds_of_no_dimension_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "oof.npz"
    np.savez(path, ids=IDS, tags=TAGS, probabilities=VALUES, fold=np.array(1))
    with pytest.raises(PredictionsError, match="1 folds do not fit 3 ads"):
        read(path)


@pytest.mark.parametrize("name", ["OOF.CSV", "oof.csv.gz", "oof.Csv.Zip"])
def test_csv_is_read_packed_and_in_capitals(name: str, tmp_path: Path) -> None:
    kind = {".gz": "gzip", ".Zip": "zip"}.get(Path(name).suffix)
    frame = pd.DataFrame(VALUES, columns=TAGS, index=pd.Index(IDS, name="id"))
    frame.to_csv(tmp_path / name, compression=kind)
    np.testing.assert_array_equal(read(tmp_path / name).values, VALUES)


@pytest.mark.parametrize("text", ["id,War,Love\n", "id,fold,War,Love\n"])
def test_a_file_of_a_header_alone_is_named_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "p.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PredictionsError, match=r"p.csv has no row. Give one for every training ad"):
        read(path)
