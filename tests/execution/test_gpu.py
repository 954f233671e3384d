"""Networks on a GPU predict what they predict on the CPU, but for rounding."""

import numpy as np
import pytest

from competition.level1.registry import get_model
from competition.testing.synthetic import made_ads


@pytest.mark.gpu
def test_network_trained_on_a_gpu_ranks_tags_as_on_the_cpu() -> None:
    X, Y = made_ads(("array",), n_ads=240)
    predicted = [
        get_model("frames").make(device=device).fit(X[:160], Y[:160]).predict_proba(X[160:])
        for device in ("cpu", "cuda")
    ]
    assert np.corrcoef(predicted[0].ravel(), predicted[1].ravel())[0, 1] > 0.95
