"""Logistic regression over words, characters and metadata together, weighed by naive Bayes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from competition.level1.components.metadata import is_metadata
from competition.level1.components.metadata_bins import MetadataBins
from competition.level1.models.tfidf_nblogreg import TfidfNBLogreg
from competition.level1.registry import level1_model
from competition.text.terms import Analyzer, NgramRange
from competition.utils.parameters import Count, NotNegative, Positive, Seed

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

MOST_TERMS = 200_000
MOST_WEIGHTS = 2**26  # numbers of one array, terms x tags; some five are held at a time


@level1_model("joint_nblogreg", kinds=("text", "metadata"))
class JointNBLogreg(TfidfNBLogreg):
    """All that texts and metadata say in one naive-Bayes logistic regression.

    What a word is worth depends on what else is known of an ad: models of texts and of metadata
    apart cannot learn it, and a meta-learner sees no words. Beside the TF-IDF terms stand the bins
    of metadata, and one feature that says that an ad has no known term. An ad of which nothing is
    known gets the prior of each tag. Of many terms the commonest are kept, 200,000 or as many as
    have 67 million weights for all tags together.

    For the other parameters see `competition.level1.components.text.LinearTextModel`.

    Parameters
    ----------
    bins : int
        Most bins of a number.
    metadata_weight : float
        Size of a bin's feature; the terms of an ad together have length 1.
    """

    def __init__(
        self,
        C: Positive = 2.0,
        analyzer: Analyzer = "both",
        ngram_range: NgramRange | None = None,
        min_df: Count = 2,
        bins: Count = 10,
        metadata_weight: NotNegative = 0.3,
        random_state: Seed = 0,
    ) -> None:
        super().__init__(C, analyzer, ngram_range, min_df, random_state)
        self.bins = bins
        self.metadata_weight = metadata_weight

    @property
    def max_terms(self) -> int:
        """Terms that are kept, the commonest: some numbers are held for each of them and tag."""
        return min(MOST_TERMS, max(1, MOST_WEIGHTS // int(self.learnable_.sum())))

    def _learn_features(self, X: pd.DataFrame) -> csr_matrix:
        metadata = [name for name in X.columns if is_metadata(X[name])]
        self.texts_ = [name for name in X.columns if name not in metadata]
        self.bins_ = MetadataBins(self.bins).fit(X[metadata])
        return self._joined(X, super()._learn_features(X[self.texts_]))

    def _features(self, X: pd.DataFrame) -> csr_matrix:
        return self._joined(X, super()._features(X[self.texts_]))

    def _joined(self, X: pd.DataFrame, terms: csr_matrix) -> csr_matrix:
        from scipy.sparse import csr_matrix, hstack

        metadata = [name for name in X.columns if name not in self.texts_]
        bins = self.metadata_weight * self.bins_.transform(X[metadata])
        bins.eliminate_zeros()  # of weight 0
        # Without any bin nothing is known of an ad that has no term: the row stays empty.
        silent = (np.diff(terms.indptr) == 0) & (np.diff(bins.indptr) > 0)
        mark = csr_matrix(self.metadata_weight * silent[:, None], dtype=np.float32)
        return hstack([terms, bins, mark], format="csr", dtype=np.float32)
