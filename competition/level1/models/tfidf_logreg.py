"""Logistic regression over TF-IDF terms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from competition.level1.components.linear import fit_linear
from competition.level1.components.text import LinearTextModel
from competition.level1.registry import level1_model
from competition.text.terms import Analyzer, NgramRange
from competition.utils.odds import prior_logits
from competition.utils.parameters import Count, Positive, Seed

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@level1_model("tfidf_logreg", kinds=("text",))
class TfidfLogreg(LinearTextModel):
    """TF-IDF terms, logistic regression of all tags at once, calibrated.

    For the parameters see `competition.level1.components.text.LinearTextModel`.
    """

    C_range = (0.2, 50)

    def __init__(
        self,
        C: Positive = 4.0,
        analyzer: Analyzer = "word",
        ngram_range: NgramRange | None = None,
        min_df: Count = 2,
        random_state: Seed = 0,
    ) -> None:
        super().__init__(C, analyzer, ngram_range, min_df, random_state)

    def _solve(self, X: csr_matrix, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return fit_linear(
            X, Y, loss="logistic", C=self.C, offset=prior_logits(Y), random_state=self.random_state
        )
