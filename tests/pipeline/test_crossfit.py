"""Cross-fitting: above all, that the held-out fold never reaches `fit`."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.config.profile import Profile
from competition.datasets import load_dataset
from competition.datasets.base import AdDataset
from competition.features.prepare import prepare_columns
from competition.folds import make_folds
from competition.level1 import registry
from competition.level1.base import Level1Model
from competition.oof.fold_files import Fingerprint
from competition.oof.store import OofStore
from competition.pipeline.context import Context
from competition.pipeline.crossfit import (
    FoldTask,
    Level1Job,
    ModelDefaults,
    cross_fit,
    fit_and_predict,
    make_estimator,
    pending_folds,
)
from competition.utils.errors import ModelError
from competition.utils.progress import Progress

SPY = "spy_of_the_tests"


class Spy(Level1Model):
    """Remembers which ads it was fitted on, and refuses to predict them."""

    def __init__(self, random_state: int = 0, n_jobs: int = 1, fail: bool = False) -> None:
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.fail = fail

    def _fit(self, X: pd.DataFrame, Y: np.ndarray) -> None:
        if self.fail:
            raise ZeroDivisionError("no such luck")
        self.seen_ = set(X.index)
        self.n_tags_ = Y.shape[1]

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        leaked = self.seen_ & set(X.index)
        assert not leaked, leaked
        return np.full((len(X), self.n_tags_), len(self.seen_) / 100)


@pytest.fixture(autouse=True)
def _spy() -> Iterator[None]:
    registry.level1_model(SPY, kinds=("text",))(Spy)
    yield
    del registry._registry._entries[SPY]


@pytest.fixture
def dataset(table: Path) -> AdDataset:
    return load_dataset(table)


@pytest.fixture
def store(tmp_path: Path, dataset: AdDataset) -> OofStore:
    folds = make_folds(dataset, 4, 0)
    return OofStore(tmp_path / "oof", tuple(dataset.tag_names), folds, dataset.test_ids)


def make_job(dataset: AdDataset, cache: Path, model: str = SPY, **params: object) -> Level1Job:
    terms = make_estimator(model, params).text_terms
    columns = prepare_columns(dataset, ["story"], terms, cache, Progress())
    return Level1Job(model, model, params, columns, Fingerprint({"of": "test"}))


def run(jobs: list[Level1Job], store: OofStore, dataset: AdDataset, n_jobs: int = 1) -> None:
    context = Context(dataset, Profile(seed=3), store.folder, n_jobs, 2, "cpu", Progress())
    cross_fit(jobs, store, context)


def test_no_ad_is_predicted_by_a_model_that_saw_it(
    dataset: AdDataset, store: OofStore, tmp_path: Path
) -> None:
    job = make_job(dataset, tmp_path)
    run([job], store, dataset)
    sizes = np.bincount(store.folds.of_ad)
    for fold in range(4):
        held_out = store.read_fold(SPY, fold).held_out
        assert held_out == pytest.approx((40 - sizes[fold]) / 100)


def test_labels_of_the_held_out_fold_do_not_change_its_predictions(
    dataset: AdDataset, store: OofStore, tmp_path: Path
) -> None:
    job = make_job(dataset, tmp_path, "tfidf_logreg")
    flipped = dataset.labels.copy()
    flipped[store.folds.of_ad == 2] ^= 1
    before = fit_and_predict(FoldTask(job, 2, store, dataset.labels, ModelDefaults()))[1]
    after = fit_and_predict(FoldTask(job, 2, store, flipped, ModelDefaults()))[1]
    assert before.held_out.tobytes() == after.held_out.tobytes()
    other = fit_and_predict(FoldTask(job, 1, store, flipped, ModelDefaults()))[1]
    unflipped = fit_and_predict(FoldTask(job, 1, store, dataset.labels, ModelDefaults()))[1]
    assert other.held_out.tobytes() != unflipped.held_out.tobytes()


def test_seed_and_threads_reach_models_that_take_them() -> None:
    model = make_estimator(SPY, {}, ModelDefaults(3), n_threads=2)
    assert (model.random_state, model.n_jobs) == (3, 2)
    assert make_estimator(SPY, {"random_state": 9}, ModelDefaults(3)).random_state == 9


def test_stored_folds_are_not_run_again(
    dataset: AdDataset, store: OofStore, tmp_path: Path
) -> None:
    job = make_job(dataset, tmp_path)
    run([job], store, dataset)
    store.path(SPY, "fold_1.parquet").unlink()
    assert pending_folds(job, store) == [1]
    written = {path: path.stat().st_mtime_ns for path in store.path(SPY, "").glob("fold_*")}
    run([job], store, dataset)
    assert pending_folds(job, store) == []
    assert all(path.stat().st_mtime_ns == time for path, time in written.items())


def test_two_processes_write_what_one_writes(
    dataset: AdDataset, store: OofStore, tmp_path: Path
) -> None:
    job = make_job(dataset, tmp_path, "tfidf_logreg")
    run([job], store, dataset, n_jobs=1)
    one = [store.read_fold(job.name, fold) for fold in range(4)]
    for fold in range(4):
        store.path(job.name, f"fold_{fold}.parquet").unlink()
    run([job], store, dataset, n_jobs=2)
    for fold in range(4):
        assert store.read_fold(job.name, fold).held_out.tobytes() == one[fold].held_out.tobytes()


def test_failing_model_is_named_with_fold_and_traceback(
    dataset: AdDataset, store: OofStore, tmp_path: Path
) -> None:
    good = make_job(dataset, tmp_path, "tfidf_logreg")
    bad = make_job(dataset, tmp_path, fail=True)
    with pytest.raises(ModelError, match=rf"{SPY} failed in fold 0: ZeroDivisionError: no such"):
        run([good, bad], store, dataset)
    assert "no such luck" in store.path(SPY, "error.txt").read_text(encoding="utf-8")
    assert pending_folds(good, store) == []


def test_refused_parameters_name_the_model() -> None:
    with pytest.raises(ModelError, match=f"The level-1 model '{SPY}' cannot be made"):
        make_estimator(SPY, {"depth": 3})


def test_list_of_arrays_is_no_prediction(
    dataset: AdDataset, store: OofStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Spy, "predict_proba", lambda self, X: [np.zeros((len(X), 2))])
    with pytest.raises(ModelError, match=r"must return one array of shape \(n_ads, n_tags\)"):
        run([make_job(dataset, tmp_path)], store, dataset)
