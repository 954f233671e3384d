"""How much of a correction is used."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit

from competition.level2.components.corrections import best_strength


@pytest.mark.parametrize("helpful", [0.4, 3.0, -1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_best_strength_has_the_lowest_log_loss(helpful: float, dtype: type) -> None:
    rng = np.random.default_rng(2)
    base, correction = rng.normal(size=(2, 400, 3)).astype(dtype)
    labels = (rng.random(base.shape) < expit(base + helpful * correction)).astype(np.uint8)

    def loss(weight: float) -> float:
        logits = base + weight * correction
        return float((np.logaddexp(0, logits) - labels * logits).sum())

    expected = minimize_scalar(loss, bounds=(0, 1), method="bounded", options={"xatol": 1e-8}).x
    assert best_strength(base, correction, labels) == pytest.approx(expected, abs=1e-4)


def test_strength_stays_between_0_and_1() -> None:
    rng = np.random.default_rng(0)
    base, correction = rng.normal(size=(2, 200, 3))
    labels = (rng.random((200, 3)) < expit(base + 0.4 * correction)).astype(np.uint8)
    assert best_strength(base, -correction, labels) == 0
    assert best_strength(base, correction / 10, labels) == 1
