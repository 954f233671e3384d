"""Logistic regression over TF-IDF terms, with naive Bayes to say which terms matter."""

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


@level1_model("tfidf_nblogreg", kinds=("text",))
class TfidfNBLogreg(LinearTextModel):
    """TF-IDF terms weighted by naive Bayes for each tag, logistic regression, calibrated.

    A term that is as common with a tag as without it tells nothing about it. Wang and Manning
    multiply each feature by its log-count ratio; here the ratio squared is the prior variance of
    the feature's weight, which is the same model and leaves the features shared by all tags.

    For the parameters see `competition.level1.components.text.LinearTextModel`.

    References
    ----------
    Wang, Manning: Baselines and bigrams: simple, good sentiment and topic classification, ACL 2012.
    """

    C_range = (0.1, 30)

    def __init__(
        self,
        C: Positive = 2.0,
        analyzer: Analyzer = "word",
        ngram_range: NgramRange | None = None,
        min_df: Count = 2,
        random_state: Seed = 0,
    ) -> None:
        super().__init__(C, analyzer, ngram_range, min_df, random_state)

    def _solve(self, X: csr_matrix, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return fit_linear(
            X,
            Y,
            loss="logistic",
            C=self.C,
            offset=prior_logits(Y),
            variance=_squared_ratios(X, Y),
            random_state=self.random_state,
        )


def _squared_ratios(X: csr_matrix, Y: np.ndarray) -> np.ndarray:
    """Squared log-ratio of how often a term occurs with a tag and without it, (n_features, n_tags).

    Scaled for each tag so that an ad's features have a variance of 1 on average: C means the same
    for common and for rare tags, and the same as without naive Bayes.
    """
    presence = X.astype(bool).astype(np.float32)
    with_tag = presence.T @ Y.astype(np.float32)
    without = np.asarray(presence.sum(axis=0)).reshape(-1, 1) - with_tag
    positives = Y.sum(axis=0, dtype=np.float32)
    with_tag = (with_tag + 1) / (positives + 2)
    without = (without + 1) / (len(Y) - positives + 2)
    squared = np.log(with_tag / without) ** 2
    mean = np.asarray((X.multiply(X) @ squared).mean(axis=0))
    return squared / np.where(mean > 0, mean, 1)
