"""Copies of a level-1 model that differ in their seeds, as one model."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from competition.level1.base import Level1Model
from competition.text.terms import TermsSpec

SEEDS = "seeds"  # key of the number of copies, among the parameters of a planned model


class SeedAverage(Level1Model):
    """The mean of copies of a model: what the seed decides evens out.

    Parameters
    ----------
    models : tuple of Level1Model
        Unfitted, alike but for their seeds.
    """

    def __init__(self, models: tuple[Level1Model, ...]) -> None:
        self.models = models

    @property
    def knows_tags(self) -> bool:  # type: ignore[override]
        """Whether the copies know something of tags that no training ad carries."""
        return self.models[0].knows_tags

    @property
    def text_terms(self) -> TermsSpec | None:
        """How to count the terms of texts, which is the same for all copies."""
        return self.models[0].text_terms

    def files(self) -> Sequence[Path]:
        """Files whose content the predictions depend on, which are the same for all copies."""
        return self.models[0].files()

    def parts(self) -> Sequence[Level1Model]:
        """The copies."""
        return self.models

    def _fit(self, X: pd.DataFrame, Y: np.ndarray) -> None:
        for model in self.models:
            model.columns_, model.prior_ = self.columns_, self.prior_
            model.learnable_ = self.learnable_
            model._fit(X, Y)

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        found = np.stack([model._predict_proba(X) for model in self.models])
        return np.asarray(found.mean(axis=0, dtype=np.float64), dtype=np.float32)
