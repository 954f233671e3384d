"""The linear stack where float32 is not enough."""

import numpy as np
import pytest
from scipy.special import expit

torch = pytest.importorskip("torch")

from competition.level2.components.linear import _newton  # noqa: E402


def test_many_ads_on_which_models_nearly_agree_are_solved_as_in_doubles() -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(-5, 1, size=(100_000, 1))
    design = np.hstack([np.ones_like(one), one + 1e-4 * rng.normal(size=(100_000, 8))])
    truth = (rng.random(100_000) < expit(2 * one[:, 0] + 8)).astype(np.float32)
    precision = np.full(9, 0.1)
    start = np.zeros((1, 9))
    found, variances = _newton(
        torch.from_numpy(design[None]).float(),
        torch.from_numpy(truth[None]),
        *(torch.from_numpy(part) for part in (start, precision, start)),
        steps=12,
    )
    weights = np.zeros(9)
    for _ in range(20):
        chance = expit(design @ weights)
        bend = design.T @ (design * (chance * (1 - chance))[:, None]) + np.diag(precision)
        step = np.linalg.solve(bend, design.T @ (chance - truth) + precision * weights)
        weights -= step * min(1.0, 4.0 / np.abs(step).max())
    np.testing.assert_allclose(design @ found[0].numpy(), design @ weights, atol=0.02)
    np.testing.assert_allclose(variances[0], np.diag(np.linalg.inv(bend)), rtol=0.05)
