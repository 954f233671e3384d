"""The OOF store."""

import socket
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.datasets import load_dataset
from competition.datasets.base import AdDataset
from competition.evaluation.metrics import gap
from competition.folds import Folds, make_folds
from competition.oof.cards import Level1Card, Level1Details, sealed
from competition.oof.fold_files import Fingerprint, FoldPrediction
from competition.oof.store import OofStore
from competition.utils.errors import StoreError, WriteError
from competition.utils.files import file_digest, write_json
from tests.recorded import Recorded

PRINT = Fingerprint({"folds": "f", "source": "s"}, "scored")


@pytest.fixture
def dataset(table: Path) -> AdDataset:
    return load_dataset(table)


def open_store(folder: Path, dataset: AdDataset, folds: Folds) -> OofStore:
    return OofStore(folder, tuple(dataset.tag_names), folds, dataset.test_ids)


@pytest.fixture
def store(tmp_path: Path, dataset: AdDataset) -> OofStore:
    return open_store(tmp_path / "oof" / "films", dataset, make_folds(dataset, 4, 0))


def predict(store: OofStore, fold: int) -> FoldPrediction:
    """Made-up probabilities that differ by ad and tag."""
    rng = np.random.default_rng(fold)
    n_tags = len(store.tags)
    held_out = rng.random((len(store.held_out_ids(fold)), n_tags), dtype=np.float32)
    test = rng.random((len(store.test_ids), n_tags), dtype=np.float32)
    return FoldPrediction(fold, held_out, test, 1.5)


def _other(store: OofStore, fold: int) -> FoldPrediction:
    """Other probabilities of the same ads."""
    one = predict(store, fold)
    return FoldPrediction(fold, 1 - one.held_out, 1 - one.test, 1.5)


DETAILS = Level1Details(level1="made", inputs=("title",), parameters={"C": 2.0}, seed=0)


def fill(store: OofStore, dataset: AdDataset, model: str = "m") -> Level1Card:
    for fold in range(store.folds.n):
        store.write_fold(model, predict(store, fold), PRINT.value)
    return store.finish(model, PRINT, dataset, DETAILS)


def test_fold_is_read_back_bit_by_bit(store: OofStore) -> None:
    written = predict(store, 1)
    store.write_fold("m", written, PRINT.value)
    read = store.read_fold("m", 1)
    assert read.held_out.tobytes() == written.held_out.tobytes()
    assert read.test.tobytes() == written.test.tobytes()
    assert read.seconds == 1.5


def test_fold_of_another_fingerprint_is_not_there(store: OofStore) -> None:
    store.write_fold("m", predict(store, 0), PRINT.value)
    assert store.has_fold("m", 0, PRINT.value)
    assert not store.has_fold("m", 0, "other")
    assert not store.has_fold("m", 1, PRINT.value)


def test_joined_folds_hold_every_ad_once_and_the_test_mean(
    store: OofStore, dataset: AdDataset
) -> None:
    fill(store, dataset)
    oof, test = store.read("m")
    for fold in range(4):
        held_out = store.folds.of_ad == fold
        assert (oof[held_out] == predict(store, fold).held_out).all()
    mean = np.mean([predict(store, fold).test for fold in range(4)], axis=0, dtype=np.float64)
    assert (test == mean.astype(np.float32)).all()


def test_card_tells_scores_seconds_and_parts(store: OofStore, dataset: AdDataset) -> None:
    card = fill(store, dataset)
    oof, _ = store.read("m")
    assert card.scores.gap == pytest.approx(gap(dataset.labels, oof))
    assert card.seconds == 6.0
    assert len(card.scores_per_fold) == 4
    assert card.made_from == {"folds": "f", "source": "s", "scoring": "scored"}
    assert (card.kind, card.level1, card.parameters) == ("level1", "made", {"C": 2.0})
    assert store.card("m") == card


def test_rows_are_matched_by_id_not_by_position(store: OofStore, dataset: AdDataset) -> None:
    card = fill(store, dataset)
    before, _ = store.read("m")
    path = store.path("m", "oof.parquet")
    pd.read_parquet(path).iloc[::-1].to_parquet(path, index=False)
    changed = {**card.files, "oof.parquet": file_digest(path)}
    write_json(store.path("m", "card.json"), sealed({**card.model_dump(), "files": changed}))
    after, _ = store.read("m")
    assert (after == before).all()


@pytest.mark.parametrize("file", ["oof.parquet", "test.parquet"])
def test_tampered_file_is_named(store: OofStore, dataset: AdDataset, file: str) -> None:
    fill(store, dataset)
    path = store.path("m", file)
    frame = pd.read_parquet(path)
    frame.loc[0, store.tags[0]] = np.float32(0.123)
    frame.to_parquet(path, index=False)
    with pytest.raises(StoreError, match=rf"m/{file}: its content is not what was written"):
        store.read("m")


def test_tampered_fold_is_named(store: OofStore) -> None:
    import pyarrow.parquet as pq

    store.write_fold("m", predict(store, 2), PRINT.value)
    path = store.path("m", "fold_2.parquet")
    table = pq.read_table(path)
    changed = table.set_column(2, store.tags[0], [[0.5] * len(table)])
    pq.write_table(changed.replace_schema_metadata(table.schema.metadata), path)
    with pytest.raises(StoreError, match=r"fold_2\.parquet: its content is not what was written"):
        store.read_fold("m", 2)


@pytest.mark.parametrize("file", ["fold_0.parquet", "oof.parquet", "card.json"])
def test_truncated_file_is_named(store: OofStore, dataset: AdDataset, file: str) -> None:
    fill(store, dataset)
    path = store.path("m", file)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StoreError, match=file.replace(".", r"\.")):
        if file == "fold_0.parquet":
            store.has_fold("m", 0, PRINT.value)
        else:
            store.read("m")


def test_fold_renamed_to_another_fold_is_named(store: OofStore) -> None:
    store.write_fold("m", predict(store, 0), PRINT.value)
    store.path("m", "fold_0.parquet").rename(store.path("m", "fold_1.parquet"))
    with pytest.raises(StoreError, match=r"fold_1\.parquet"):
        store.read_fold("m", 1)


def test_absent_file_is_named(store: OofStore, dataset: AdDataset) -> None:
    fill(store, dataset)
    store.path("m", "test.parquet").unlink()
    with pytest.raises(StoreError, match=r"test\.parquet: it is absent"):
        store.read("m")


def test_predictions_made_from_other_folds_are_refused(store: OofStore, dataset: AdDataset) -> None:
    fill(store, dataset)
    other = open_store(store.folder, dataset, make_folds(dataset, 4, 1))
    with pytest.raises(StoreError, match="made from other folds"):
        other.read("m")


OTHER = Fingerprint({"folds": "f", "source": "t"}, "scored")


def test_card_of_another_fingerprint_is_not_current_and_stays(
    store: OofStore, dataset: AdDataset
) -> None:
    card = fill(store, dataset)
    assert store.current_card("m", PRINT) == card
    assert store.current_card("m", OTHER) is None
    assert store.card("m") == card


def test_stale_card_is_withdrawn_naming_what_has_changed(
    store: OofStore, dataset: AdDataset
) -> None:
    fill(store, dataset)
    recorded = Recorded()
    store.withdraw("m", PRINT, recorded)
    assert recorded.remarks == []
    assert store.card("m") is not None
    store.withdraw("m", OTHER, recorded)
    assert recorded.remarks == ["m: made from other source, so it is run again"]
    assert store.card("m") is None


def test_model_scored_in_another_way_keeps_its_folds(store: OofStore, dataset: AdDataset) -> None:
    fill(store, dataset)
    rescored = Fingerprint(PRINT.components, "scored otherwise")
    recorded = Recorded()
    assert store.current_card("m", rescored) is None
    store.withdraw("m", rescored, recorded)
    assert recorded.remarks == ["m: scored in another way, so it is scored again"]
    assert all(store.has_fold("m", fold, rescored.value) for fold in range(4))
    store.finish("m", rescored, dataset, DETAILS)
    assert store.current_card("m", rescored) is not None


def test_card_of_another_version_is_not_current_and_is_withdrawn(
    store: OofStore, dataset: AdDataset
) -> None:
    card = fill(store, dataset)
    write_json(store.path("m", "card.json"), card.model_dump(exclude={"kind"}))
    recorded = Recorded()
    assert store.current_card("m", PRINT) is None
    store.withdraw("m", PRINT, recorded)
    assert recorded.remarks == ["m: its card is of another version, so it is run again"]
    assert store.card("m") is None


@pytest.mark.parametrize(
    ("file", "remark"),
    [
        ("card.json", "m: its card is damaged or was changed by hand, so it is made again"),
        ("oof.parquet", "m: its predictions are damaged, so it is made again"),
        ("test.parquet", "m: its predictions are damaged, so it is made again"),
    ],
)
def test_model_with_a_damaged_file_is_joined_again_from_its_folds(
    store: OofStore, dataset: AdDataset, file: str, remark: str
) -> None:
    fill(store, dataset)
    whole = store.path("m", file).read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 1
    store.path("m", file).write_bytes(damaged)
    recorded = Recorded()
    assert store.current_card("m", PRINT) is None
    store.withdraw("m", PRINT, recorded)
    assert recorded.remarks == [remark]
    assert all(store.has_fold("m", fold, PRINT.value) for fold in range(4))
    assert store.finish("m", PRINT, dataset, DETAILS) == store.current_card("m", PRINT)
    if file != "card.json":
        assert store.path("m", file).read_bytes() == whole


def test_damaged_fold_alone_is_withdrawn(store: OofStore) -> None:
    for fold in range(4):
        store.write_fold("m", predict(store, fold), PRINT.value)
    path = store.path("m", "fold_2.parquet")
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    recorded = Recorded()
    store.withdraw("m", PRINT, recorded)
    assert recorded.remarks == ["m: fold_2.parquet is damaged, so that fold is run again"]
    assert [store.has_fold("m", fold, PRINT.value) for fold in range(4)] == [
        True,
        True,
        False,
        True,
    ]


def test_folds_of_two_fingerprints_are_never_joined(store: OofStore, dataset: AdDataset) -> None:
    for fold in range(4):
        store.write_fold("m", predict(store, fold), PRINT.value)
    store.write_fold("m", predict(store, 2), OTHER.value)
    with pytest.raises(StoreError, match=r"m/fold_2\.parquet is not what this command has written"):
        store.finish("m", PRINT, dataset, DETAILS)
    assert store.card("m") is None
    assert not store.path("m", "oof.parquet").exists()


def test_model_made_anew_since_its_card_was_read_is_named(
    store: OofStore, dataset: AdDataset
) -> None:
    card = fill(store, dataset)
    for fold in range(4):
        store.write_fold("m", _other(store, fold), OTHER.value)
    store.finish("m", OTHER, dataset, DETAILS)
    with pytest.raises(StoreError, match="another process has made it anew"):
        store.read("m", card)
    store.read("m")


@pytest.mark.parametrize("bad", [np.nan, -0.1, 1.1])
def test_what_is_no_probability_is_refused(store: OofStore, bad: float) -> None:
    prediction = predict(store, 0)
    prediction.held_out[0, 0] = bad
    with pytest.raises(StoreError, match=r"NaN or outside \[0, 1\]"):
        store.write_fold("m", prediction, PRINT.value)


def test_wrong_shape_is_refused(store: OofStore) -> None:
    prediction = predict(store, 0)
    short = FoldPrediction(0, prediction.held_out[1:], prediction.test, 0.0)
    with pytest.raises(StoreError, match="expected"):
        store.write_fold("m", short, PRINT.value)


def test_nothing_is_left_of_a_write_that_failed(
    store: OofStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet as pq

    def fail(table: object, path: Path, **options: object) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(pq, "write_table", fail)
    with pytest.raises(WriteError, match="disk full"):
        store.write_fold("m", predict(store, 0), PRINT.value)
    assert list(store.path("m", "").iterdir()) == []


def test_leftovers_of_a_killed_run_are_cleared_away(store: OofStore, dataset: AdDataset) -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    name = f".fold_0.parquet.{socket.gethostname()}.{ended.pid}.abcd1234.tmp"
    leftover = store.path("m", name)
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"half")
    fill(store, dataset)
    assert not leftover.exists()


def test_store_without_test_ads(table: Path, tmp_path: Path) -> None:
    toml = table / "competition.toml"
    text = toml.read_text(encoding="utf-8").replace('test = "test.csv"\n', "")
    toml.write_text(text, encoding="utf-8")
    dataset = load_dataset(table)
    store = open_store(tmp_path / "oof", dataset, make_folds(dataset, 4, 0))
    fill(store, dataset)
    _, test = store.read("m")
    assert test.shape == (0, 5)
