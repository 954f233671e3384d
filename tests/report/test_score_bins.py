"""Thresholds and reliability against direct computations."""

import numpy as np
import pytest

from competition.report.score_bins import BINS, ScoreBins


@pytest.fixture
def ads() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    oof = rng.random((600, 3)).astype(np.float32)
    labels = rng.random((600, 3)) < oof**2
    return labels, oof, rng.integers(0, 3, 600)


def f1(labels: np.ndarray, predicted: np.ndarray) -> float:
    return 2 * (labels & predicted).sum() / max(labels.sum() + predicted.sum(), 1)


def middle_of_last_run(values: np.ndarray, is_best: np.ndarray) -> float:
    last = int(np.flatnonzero(is_best)[-1])
    first = last
    while first and is_best[first - 1]:
        first -= 1
    return float(values[(first + last) // 2])


def test_threshold_of_tags_that_are_told_apart_lies_between_them() -> None:
    rng = np.random.default_rng(0)
    labels = np.stack([np.arange(300) % 3 == 0, np.zeros(300, dtype=bool)], axis=1)
    oof = np.where(labels, 0.9, 0.1) + rng.uniform(-0.05, 0.05, labels.shape)
    found, precision, recall = ScoreBins.of(labels, oof, np.arange(300) % 5).thresholds()
    assert 0.45 < found[0] < 0.55
    assert (precision[0], recall[0]) == (1, 1)
    assert np.isnan(found[1])  # no ad has that tag
    assert np.isnan(recall[1])


def test_thresholds_have_the_highest_f1_and_are_those_of_the_other_folds(
    ads: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    labels, oof, fold = ads
    found, precision, recall = ScoreBins.of(labels, oof, fold).thresholds()
    every = np.arange(BINS) / BINS
    for tag in range(3):
        best = max(f1(labels[:, tag], oof[:, tag] >= t) for t in every)
        assert f1(labels[:, tag], oof[:, tag] >= found[tag]) == pytest.approx(best)
        predicted = np.zeros(len(labels), dtype=bool)
        for k in range(3):
            others, held = fold != k, fold == k
            scores = [f1(labels[others, tag], oof[others, tag] >= t) for t in every]
            at = middle_of_last_run(every, np.isclose(scores, max(scores)))
            predicted[held] = oof[held, tag] >= at
        hits = (labels[:, tag] & predicted).sum()
        assert precision[tag] == pytest.approx(hits / predicted.sum())
        assert recall[tag] == pytest.approx(hits / labels[:, tag].sum())


def test_calibration_mends_probabilities_that_run_high(
    ads: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    bins = ScoreBins.of(*ads)
    before, after = bins.reliability(), bins.calibrated()
    assert before.counts.sum() == ads[0].size
    assert before.error == pytest.approx(1 / 6, abs=0.02)  # mean of p less p squared
    assert after.error < 0.04


def test_histogram_counts_every_decision(ads: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    true, false = ScoreBins.of(*ads).histogram()
    assert true.sum() == ads[0].sum()
    assert false.sum() == (~ads[0]).sum()
