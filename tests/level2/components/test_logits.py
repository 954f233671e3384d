"""Level-1 predictions as logits."""

import numpy as np
import pandas as pd

from competition.level2.components.logits import Logits
from competition.level2.data import Ads


def test_logits_of_zero_and_one_are_finite_and_opposite() -> None:
    probabilities = np.zeros((2, 2, 1), np.float32)
    probabilities[1] = 1
    ads = Ads(probabilities, pd.DataFrame(index=range(2)), np.zeros((2, 0), bool))
    logits = Logits(ads).of_ads(np.arange(2))
    np.testing.assert_allclose(logits[0], -logits[1], rtol=1e-4)
