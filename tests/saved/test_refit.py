"""The scale of refitted models, against one that is known."""

import numpy as np

from competition.saved.refit import Scale, fitted_scale, rescaled


def logits(p: np.ndarray) -> np.ndarray:
    return np.log(p / (1 - p))


def test_a_known_scale_is_found_and_undone() -> None:
    rng = np.random.default_rng(0)
    of_folds = 1 / (1 + np.exp(-rng.normal(-2, 1, (200, 5))))
    refitted = 1 / (1 + np.exp(-(1.7 * logits(of_folds) + 0.4)))
    scale = fitted_scale(refitted, of_folds)
    assert np.isclose(scale.slope, 1 / 1.7, atol=0.01)
    assert np.allclose(rescaled(refitted.astype(np.float32), scale), of_folds, atol=5e-3)


def test_noise_between_the_two_makes_it_no_flatter() -> None:
    rng = np.random.default_rng(1)
    signal = rng.normal(-2, 1, (500, 5))
    one, other = (1 / (1 + np.exp(-(signal + rng.normal(0, 0.8, signal.shape)))) for _ in "ab")
    assert abs(fitted_scale(one, other).slope - 1) < 0.05


def test_certainties_and_the_identity_stay() -> None:
    p = np.array([[0, 0.25, 1]], dtype=np.float32)
    assert rescaled(p, Scale()) is p
    moved = rescaled(p, Scale(2.0, 0.0))
    assert moved.tolist() == [[0, np.float32(0.1), 1]]
    assert fitted_scale(np.full((9, 1), 0.5), np.full((9, 1), 0.5)) == Scale(1.0, 0.0)
