"""Linear support vector machines over TF-IDF terms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from competition.level1.components.linear import fit_linear
from competition.level1.components.text import LinearTextModel
from competition.level1.registry import level1_model
from competition.text.terms import Analyzer, NgramRange
from competition.utils.parameters import Count, Positive, Seed

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@level1_model("tfidf_linearsvc", kinds=("text",))
class TfidfLinearSVC(LinearTextModel):
    """TF-IDF terms, linear support vector machines of all tags at once, calibrated.

    For the parameters see `competition.level1.components.text.LinearTextModel`.
    """

    C_range = (0.02, 5)

    def __init__(
        self,
        C: Positive = 0.3,
        analyzer: Analyzer = "word",
        ngram_range: NgramRange | None = None,
        min_df: Count = 2,
        random_state: Seed = 0,
    ) -> None:
        super().__init__(C, analyzer, ngram_range, min_df, random_state)

    def _solve(self, X: csr_matrix, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return fit_linear(X, Y, loss="squared_hinge", C=self.C, random_state=self.random_state)
