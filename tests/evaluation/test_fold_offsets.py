"""Fold models on different levels: seen on the test ads, and levelled without labels."""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, logit

from competition.datasets import load_dataset
from competition.demo.make import make_demo
from competition.evaluation.fold_offsets import (
    FEWEST,
    LARGE,
    mean_logits_of_folds,
    offset_spread,
    without_offsets,
)
from competition.evaluation.metrics import gap
from competition.folds import make_folds
from competition.level2.crossfit import cross_fit
from competition.level2.data import Ads, StackData
from competition.level2.learners.logit_mean import LogitMean
from competition.level2.learners.pooled import Pooled
from competition.oof.cards import Level1Details
from competition.oof.fold_files import Fingerprint, FoldPrediction
from competition.oof.store import OofStore
from competition.pipeline.stack_input import stack_input
from competition.testing.stacks import made_stack, with_probabilities


def shifted(probabilities: np.ndarray, by: float | np.ndarray) -> np.ndarray:
    return expit(logit(probabilities.astype(np.float64)) + by).astype(np.float32)


def offset_fold(data: StackData, test: Ads, by: float) -> tuple[StackData, list[float]]:
    """The first model's fold 1 stands too high; with the levels that its fold models then have."""
    models, tested = data.ads.probabilities.copy(), test.probabilities[:, 0]
    models[data.fold == 1, 0] = shifted(models[data.fold == 1, 0], by)
    tests = np.stack([shifted(tested, by if k == 1 else 0) for k in data.folds])
    return with_probabilities(data, models), mean_logits_of_folds(tests)


def test_levels_are_the_mean_logits_of_the_same_ads() -> None:
    tests = np.random.default_rng(0).uniform(0.1, 0.9, (3, FEWEST, 2)).astype(np.float32)
    assert mean_logits_of_folds(tests) == pytest.approx(
        [logit(one.astype(float)).mean() for one in tests]
    )


@pytest.mark.parametrize("n_test", [0, FEWEST - 1])
def test_too_few_test_ads_tell_no_levels_and_nothing_is_changed(n_test: int) -> None:
    levels = mean_logits_of_folds(np.random.default_rng(0).random((2, n_test, 3)))
    oof = np.full((4, 3), 0.3, dtype=np.float32)
    assert offset_spread(levels) == 0
    assert without_offsets(oof, np.array([0, 0, 1, 1]), levels) is oof


def test_levels_near_each_other_change_no_bit() -> None:
    oof = np.full((4, 3), 0.3, dtype=np.float32)
    assert without_offsets(oof, np.array([0, 0, 1, 1]), [0.0, 0.99 * LARGE]) is oof


def test_logits_move_to_the_mean_level() -> None:
    oof = np.array([[0.2, 0.9], [0.4, 0.5], [0.7, 0.1]], dtype=np.float32)
    found = without_offsets(oof, np.array([0, 1, 2]), [-1.0, 0.0, 2.5])
    expected = expit(logit(oof.astype(float)) + np.array([[1.5], [0.5], [-2.0]]))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_certain_predictions_stay_certain() -> None:
    oof = np.array([[0.0, 1.0]], dtype=np.float32)
    np.testing.assert_array_equal(without_offsets(oof, np.array([1]), [0.0, 3.0]), oof)


@pytest.mark.parametrize("learner", [Pooled(), LogitMean()])
def test_a_fold_with_an_offset_costs_the_stack_score_and_its_removal_gives_it_back(
    learner: Pooled | LogitMean,
) -> None:
    clean, test = made_stack(n=300, n_tags=8, n_test=100)
    data, levels = offset_fold(clean, test, 1.5)
    models = data.ads.probabilities.copy()
    models[:, 0] = without_offsets(models[:, 0], data.fold, levels)
    mended = with_probabilities(data, models)
    with_clean, with_offset, with_mended = (
        gap(one.labels, cross_fit(learner, one).oof) for one in (clean, data, mended)
    )
    assert with_offset < with_clean - 0.002
    assert with_mended == pytest.approx(with_clean, abs=0.001)


def test_the_stack_reads_a_model_without_its_offsets(tmp_path: Path) -> None:
    make_demo(tmp_path / "demo", 100, seed=1, films=False)
    dataset = load_dataset(tmp_path / "demo")
    folds = make_folds(dataset, 3, 0)
    tags = tuple(dataset.tag_names)
    store = OofStore(tmp_path / "oof", tags, folds, dataset.test_ids)
    fingerprint = Fingerprint({"source": "s"})
    details = Level1Details(level1="made", inputs=(), parameters={}, seed=0)
    by = [0.0, 2.0, 0.0]
    n_test = len(dataset.test_ids)
    for fold in range(3):
        n = len(store.held_out_ids(fold))
        held_out, test = (np.full((rows, len(tags)), 0.3, np.float32) for rows in (n, n_test))
        store.write_fold(
            "m",
            FoldPrediction(fold, shifted(held_out, by[fold]), shifted(test, by[fold]), 0.0),
            fingerprint.value,
        )
    card = store.finish("m", fingerprint, dataset, details)
    data, _ = stack_input(store, [card], dataset, [])
    assert card.fold_offsets == pytest.approx(logit(0.3) + np.array(by), abs=1e-5)
    np.testing.assert_allclose(data.ads.probabilities, expit(logit(0.3) + 2 / 3), rtol=1e-5)
