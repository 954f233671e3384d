"""Predictions made elsewhere in the store."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.datasets import load_dataset
from competition.datasets.base import AdDataset
from competition.evaluation.metrics import gap
from competition.folds import make_folds
from competition.folds_file import write_folds
from competition.oof.cards import ExternalDetails, Level1Details, sealed
from competition.oof.store import OofStore
from competition.pipeline.add_oof import add_oof
from competition.utils.errors import FoldsError, PredictionsError
from competition.utils.files import write_json
from tests.recorded import Recorded


@pytest.fixture
def dataset(table: Path) -> AdDataset:
    return load_dataset(table)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def predictions(ids: pd.Index, dataset: AdDataset, seed: int = 0) -> pd.DataFrame:
    """Made-up float32 probabilities."""
    rng = np.random.default_rng(seed)
    values = rng.random((len(ids), len(dataset.tags)), dtype=np.float32)
    frame = pd.DataFrame(values, columns=dataset.tag_names)
    frame.insert(0, "id", list(ids))
    return frame


@pytest.fixture
def files(dataset: AdDataset, tmp_path: Path) -> tuple[Path, Path]:
    oof, test = tmp_path / "oof.parquet", tmp_path / "test.parquet"
    predictions(dataset.train_ids, dataset).sample(frac=1, random_state=0).to_parquet(oof)
    predictions(dataset.test_ids, dataset, 1).sample(frac=1, random_state=0).to_parquet(test)
    return oof, test


def name_folds(oof: Path, of_ad: np.ndarray, dataset: AdDataset) -> None:
    frame = pd.read_parquet(oof).drop(columns="fold", errors="ignore")
    frame["fold"] = pd.Series(of_ad, index=dataset.train_ids)[frame["id"]].to_numpy()
    frame.to_parquet(oof)


def open_store(out: Path, dataset: AdDataset) -> OofStore:
    from competition.folds_file import read_folds

    folder = out / "oof" / dataset.name
    folds = read_folds(folder / "folds.csv", dataset)
    return OofStore(folder, tuple(dataset.tag_names), folds, dataset.test_ids)


def test_store_gives_back_what_the_files_hold(
    table: Path, dataset: AdDataset, files: tuple[Path, Path], out: Path
) -> None:
    add_oof("theirs", table, *files, out)
    oof, test = open_store(out, dataset).read("theirs")
    tags = dataset.tag_names
    np.testing.assert_array_equal(oof, predictions(dataset.train_ids, dataset)[tags])
    np.testing.assert_array_equal(test, predictions(dataset.test_ids, dataset, 1)[tags])


def test_card_scores_it_and_says_that_it_came_from_a_file(
    table: Path, dataset: AdDataset, files: tuple[Path, Path], out: Path
) -> None:
    card = add_oof("theirs", table, *files, out)
    values = predictions(dataset.train_ids, dataset)[dataset.tag_names].to_numpy()
    assert card.scores.gap == pytest.approx(gap(dataset.labels, values))
    assert (card.kind, card.oof_file, card.test_file) == ("external", "oof.parquet", "test.parquet")
    assert not card.folds_given
    assert set(card.made_from) == {"ads", "labels", "folds", "file", "scale", "scoring"}


def test_same_files_again_write_nothing(table: Path, files: tuple[Path, Path], out: Path) -> None:
    add_oof("theirs", table, *files, out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.*") if path.is_file()}
    add_oof("theirs", table, *files, out)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.*") if path.is_file()} == before


def test_other_files_of_the_same_name_replace_it(
    table: Path, dataset: AdDataset, files: tuple[Path, Path], out: Path
) -> None:
    first = add_oof("theirs", table, *files, out)
    predictions(dataset.train_ids, dataset, 7).to_parquet(files[0])
    assert add_oof("theirs", table, *files, out).scores != first.scores


def test_folds_that_the_file_does_not_name_are_taken_on_trust_aloud(
    table: Path, files: tuple[Path, Path], out: Path
) -> None:
    remarks = Recorded()
    add_oof("theirs", table, *files, out, remarks)
    assert "taken on trust" in remarks.remarks[0]


def test_folds_of_the_first_file_become_those_of_the_dataset(
    table: Path, dataset: AdDataset, files: tuple[Path, Path], out: Path
) -> None:
    of_ad = np.arange(40) % 4
    name_folds(files[0], of_ad, dataset)
    add_oof("theirs", table, *files, out)
    np.testing.assert_array_equal(open_store(out, dataset).folds.of_ad, of_ad)


def test_predictions_made_on_other_folds_are_refused_naming_an_ad(
    table: Path, dataset: AdDataset, files: tuple[Path, Path], out: Path
) -> None:
    folds = make_folds(dataset, 5, 0)
    write_folds(out / "oof" / dataset.name / "folds.csv", folds)
    other = folds.of_ad.copy()
    other[7] = (other[7] + 1) % 5
    name_folds(files[0], other, dataset)
    ad = dataset.train_ids[7]
    with pytest.raises(PredictionsError, match=rf"\(ad {ad}\): the file holds the ad out in fold"):
        add_oof("theirs", table, *files, out)


def test_folds_with_a_gap_are_refused(
    table: Path, dataset: AdDataset, files: tuple[Path, Path], out: Path
) -> None:
    name_folds(files[0], np.arange(40) % 4 + 1, dataset)
    with pytest.raises(FoldsError, match=r"0, 1, \.\.\., n - 1"):
        add_oof("theirs", table, *files, out)


def test_file_without_test_predictions_is_refused_where_there_are_test_ads(
    table: Path, files: tuple[Path, Path], out: Path
) -> None:
    with pytest.raises(PredictionsError, match="9 test ads, and a model without predictions"):
        add_oof("theirs", table, files[0], None, out)


def test_dataset_without_test_ads_needs_no_test_predictions(
    table: Path, files: tuple[Path, Path], out: Path
) -> None:
    toml = table / "competition.toml"
    text = toml.read_text(encoding="utf-8").replace('test = "test.csv"\n', "")
    toml.write_text(text, encoding="utf-8")
    add_oof("theirs", table, files[0], None, out)
    oof, test = open_store(out, load_dataset(table)).read("theirs")
    assert (oof.shape, test.shape) == ((40, 5), (0, 5))


@pytest.mark.parametrize(
    "name", ["stack-mine", "a b", "../up", "tfidf_logreg", "tuning", "ablation"]
)
def test_name_that_another_folder_has_or_needs_is_refused(
    table: Path, files: tuple[Path, Path], out: Path, name: str
) -> None:
    with pytest.raises(PredictionsError, match="name"):
        add_oof(name, table, *files, out)


def test_model_that_a_run_has_trained_is_not_overwritten(
    table: Path, files: tuple[Path, Path], out: Path
) -> None:
    card = add_oof("mine", table, *files, out)
    details = Level1Details(level1="tfidf_logreg", inputs=("title",), parameters={}, seed=0)
    common = card.model_dump(exclude=set(ExternalDetails.model_fields))
    trained = {**common, **details.model_dump()}
    write_json(out / "oof" / "films" / "mine" / "card.json", sealed(trained))
    with pytest.raises(PredictionsError, match="a model that a run has trained"):
        add_oof("mine", table, *files, out)


def test_predictions_worse_than_the_tags_shares_are_warned_of(
    table: Path, dataset: AdDataset, files: tuple[Path, Path], out: Path
) -> None:
    frame = pd.read_parquet(files[0]).set_index("id").loc[dataset.train_ids]
    recorded = Recorded()
    for name, values in (("upside_down", 1 - 0.9 * dataset.labels), ("good", dataset.labels * 0.9)):
        frame[dataset.tag_names] = values.astype(np.float32)
        frame.reset_index().to_parquet(files[0])
        add_oof(name, table, *files, out, recorded)
    warnings = [remark for remark in recorded.remarks if "Warning" in remark]
    assert len(warnings) == 1
    assert "upside_down has an OOF GAP of" in warnings[0]


def test_an_unknown_scale_is_refused(table: Path, files: tuple[Path, Path], out: Path) -> None:
    with pytest.raises(PredictionsError, match="give one of probability, logit, score"):
        add_oof("theirs", table, *files, out, scale="foo")
