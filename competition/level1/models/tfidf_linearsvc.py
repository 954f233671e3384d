"""Linear support vector machines over TF-IDF terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from competition.level1.components.linear import fit_linear
from competition.level1.components.text import LinearTextModel
from competition.level1.registry import level1_model
from competition.text.terms import Analyzer

if TYPE_CHECKING:
    from optuna import Trial
    from scipy.sparse import csr_matrix


@level1_model("tfidf_linearsvc", kinds=("text",))
class TfidfLinearSVC(LinearTextModel):
    """TF-IDF terms, linear support vector machines of all tags at once, calibrated.

    Parameters
    ----------
    C : float
        Weight of the loss against the regularisation.
    analyzer : {"word", "char"}
        What texts are made of.
    ngram_range : tuple of int, optional
        Shortest and longest n-gram; the analyzer's default if not given.
    min_df : int
        Terms of fewer training ads than this are ignored.
    random_state : int
        Seeds the solver and the inner folds that the sigmoids are fitted on.
    """

    def __init__(
        self,
        C: float = 0.3,
        analyzer: Analyzer = "word",
        ngram_range: tuple[int, int] | None = None,
        min_df: int = 2,
        random_state: int = 0,
    ) -> None:
        self.C = C
        self.analyzer = analyzer
        self.ngram_range = ngram_range
        self.min_df = min_df
        self.random_state = random_state

    @staticmethod
    def search_space(trial: Trial) -> dict[str, Any]:
        """What `tune` tries; words or characters are a choice between models, not a value."""
        return {
            "C": trial.suggest_float("C", 0.02, 5, log=True),
            "min_df": trial.suggest_int("min_df", 1, 8),
        }

    def _solve(self, X: csr_matrix, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return fit_linear(X, Y, loss="squared_hinge", C=self.C, random_state=self.random_state)
