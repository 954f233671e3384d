"""One sigmoid over all tags, against probabilities whose truth is known."""

import numpy as np
from scipy.special import expit, logit

from competition.saved.calibration import (
    calibrate,
    calibrated_by_others,
    fit_sigmoid,
    reliability_error,
)
from competition.saved.refit import Scale, rescaled


def made(n: int = 2000, n_tags: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and the probabilities that they are drawn with."""
    rng = np.random.default_rng(seed)
    truth = expit(rng.normal(-1, 2, (n, n_tags)))
    return (rng.random(truth.shape) < truth).astype(np.uint8), truth.astype(np.float32)


def test_error_is_that_of_a_count_by_hand() -> None:
    labels = np.array([[1], [0], [1], [1]])
    p = np.array([[0.05], [0.05], [0.9], [0.95]])
    assert np.isclose(reliability_error(labels, p), (abs(0.1 - 1) + abs(1.85 - 2)) / 4)


def test_a_known_distortion_is_undone_and_the_order_stays() -> None:
    labels, truth = made()
    shy = expit(0.5 * logit(truth) + 0.4).astype(np.float32)
    found = calibrate(labels, shy, np.arange(len(shy)) % 5)
    assert np.allclose(found.scale, (2.0, -0.8), atol=0.1)
    assert found.before > 0.1
    assert found.after < 0.015
    moved = rescaled(shy, found.scale)
    assert (np.diff(moved.ravel()[np.argsort(shy, axis=None)]) >= 0).all()
    assert np.abs(moved - truth).max() < 0.04


def test_what_is_right_already_is_left_where_a_sigmoid_is_worse_out_of_fold() -> None:
    kept = []
    for seed in range(20):
        labels, truth = made(60, 2, seed)
        found = calibrate(labels, truth, np.arange(60) % 5)
        kept.append(found.scale == Scale())
        assert kept[-1] == (found.after >= found.before)
    assert any(kept)
    assert not all(kept)


def test_labels_of_a_fold_teach_nothing_about_it() -> None:
    labels, truth = made(200)
    fold = np.arange(200) % 4
    before = calibrated_by_others(labels, truth, fold)
    labels[fold == 1] = 1 - labels[fold == 1]
    after = calibrated_by_others(labels, truth, fold)
    assert np.array_equal(before[fold == 1], after[fold == 1])
    assert not np.array_equal(before[fold == 0], after[fold == 0])


def test_no_labels_and_reversed_ones_do_no_harm() -> None:
    labels, truth = made(100)
    assert np.isfinite(fit_sigmoid(np.zeros_like(labels), truth)).all()
    assert fit_sigmoid(1 - labels, truth) == Scale()
