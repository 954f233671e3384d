"""Tags of the most similar ads: nearest neighbours by texts and arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from competition.level1.base import Level1Model
from competition.level1.components.modalities import kind_of
from competition.level1.components.similarity import (
    ArraySimilarity,
    Similarity,
    TextSimilarity,
)
from competition.level1.registry import level1_model
from competition.text.terms import TermsSpec
from competition.utils.parameters import Count, NotNegative, Positive, Seed

if TYPE_CHECKING:
    from optuna import Trial

TEXTS = "texts"  # the similarity of all texts together; those of arrays have their column's name
KEPT = 20_000  # most training ads that an ad is compared with, drawn at random
ASKED = 500  # training ads that are tagged by the others, to choose what similarity is made of
TIE = 1e-6  # relative difference of similarities that are equal but for rounding
AT_ONCE = 256  # ads whose similarities are held together


@level1_model("knn", kinds=("text", "array"))
class Knn(Level1Model):
    """Ads are tagged like those that read, look and sound most like them.

    What other models need many ads of a tag for, a neighbour tells at once: rare tags gain. Texts
    are compared by the n-grams of characters that they share, an array by its mean over time. Which
    similarities count, some training ads decide that are tagged by all others: the one that tags
    them best, and each further one whose sum with it does better. Neighbours are weighed by a power
    of their similarity, and beside them stands the prior of each tag. An ad that is like no other
    gets the prior. Of more than 20,000 training ads as many are compared with, drawn at random.

    Parameters
    ----------
    n_neighbors : int
        Ads that an ad is tagged by.
    power : float
        Of the similarity: the weight of a neighbour.
    prior_weight : float
        Weight of the prior, as a share of what the neighbours of an ad weigh together.
    min_df : int
        Terms of fewer training ads than this are ignored.
    random_state : int
        Seeds which training ads are asked, and of many which are kept.

    Attributes
    ----------
    chosen_ : list of str
        What similarity is the sum of: columns of arrays, and ``"texts"``.
    """

    def __init__(
        self,
        n_neighbors: Count = 60,
        power: Positive = 3.0,
        prior_weight: NotNegative = 0.1,
        min_df: Count = 2,
        random_state: Seed = 0,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.power = power
        self.prior_weight = prior_weight
        self.min_df = min_df
        self.random_state = random_state

    @staticmethod
    def search_space(trial: Trial) -> dict[str, Any]:
        """What `tune` tries."""
        return {
            "n_neighbors": trial.suggest_int("n_neighbors", 10, 200, log=True),
            "power": trial.suggest_float("power", 1, 6),
            "prior_weight": trial.suggest_float("prior_weight", 0.01, 1, log=True),
        }

    @property
    def text_terms(self) -> TermsSpec:
        """What is counted in texts."""
        return TermsSpec("char", (3, 5))

    def _fit(self, X: pd.DataFrame, Y: np.ndarray) -> None:
        rng = np.random.default_rng(self.random_state)
        kept = np.sort(rng.permutation(len(X))[:KEPT])
        X, Y = X.iloc[kept], Y[kept]
        asked = rng.permutation(len(X))[:ASKED]
        self.labels_ = Y
        views, scales, found = self._views(X), dict[str, float](), dict[str, np.ndarray]()
        for name, view in views.items():
            similar = view.fit(X).to_training(X.iloc[asked])
            similar[np.arange(len(asked)), asked] = 0  # nobody is tagged by himself
            scales[name] = self._scale(similar)
            if scales[name] > 0:
                found[name] = similar / np.float32(scales[name])
        self.chosen_ = self._choose(found, Y[asked])
        self.views_ = [(views[name], scales[name]) for name in self.chosen_]
        self.total_ = 0.0
        if self.chosen_:
            together = np.sum([found[name] for name in self.chosen_], axis=0)
            self.total_ = _typical(self._votes(together)[1])

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        parts = []
        for start in range(0, len(X), AT_ONCE):
            some = X.iloc[start : start + AT_ONCE]
            similar = np.zeros((len(some), len(self.labels_)), dtype=np.float32)
            for view, scale in self.views_:
                similar += view.to_training(some) / np.float32(scale)
            parts.append(self._shares(*self._votes(similar), self.total_))
        return np.concatenate(parts)

    def _views(self, X: pd.DataFrame) -> dict[str, Similarity]:
        kinds = {str(name): kind_of(X[name]) for name in X.columns}
        texts = [name for name, kind in kinds.items() if kind == "text"]
        views: dict[str, Similarity] = {}
        if texts:
            views[TEXTS] = TextSimilarity(texts, self.text_terms, self.min_df)
        return views | {name: ArraySimilarity(name) for name in kinds if name not in texts}

    def _scale(self, similar: np.ndarray) -> float:
        """Mean similarity of the neighbours of an ad that has any, to make sums of like parts."""
        similar = similar[(similar > 0).any(axis=1)]
        if not len(similar):
            return 0.0
        k = min(self.n_neighbors, similar.shape[1])
        return float(np.maximum(np.partition(similar, -k, axis=1)[:, -k:], 0).mean())

    def _choose(self, found: dict[str, np.ndarray], labels: np.ndarray) -> list[str]:
        """Add similarities as long as the asked ads are tagged better by the others."""
        chosen: list[str] = []
        least, together = np.inf, np.zeros(1, dtype=np.float32)
        while len(chosen) < len(found):
            losses = {
                name: self._loss(together + similar, labels)
                for name, similar in found.items()
                if name not in chosen
            }
            name = min(losses, key=lambda name: losses[name])
            if losses[name] >= least:
                break
            chosen.append(name)
            least, together = losses[name], together + found[name]
        return chosen

    def _loss(self, similar: np.ndarray, labels: np.ndarray) -> float:
        """Mean cross-entropy of ads that are tagged by their neighbours."""
        votes, weight = self._votes(similar)
        found = self._shares(votes, weight, _typical(weight))
        found = np.clip(found, 1e-6, 1 - 1e-6)
        return float(-np.log(np.where(labels == 1, found, 1 - found)).mean())

    def _shares(self, votes: np.ndarray, weight: np.ndarray, total: float) -> np.ndarray:
        """Share of the neighbours, and of the prior, that carry each tag: (n_ads, n_tags)."""
        prior = max(self.prior_weight * total, 1e-9)
        shares = (votes + prior * self.prior_[self.learnable_]) / (weight + prior)[:, None]
        return shares.astype(np.float32)

    def _votes(self, similar: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weight of the neighbours that carry each tag, (n_ads, n_tags), and of all, (n_ads,)."""
        from scipy.sparse import csr_matrix

        k = min(self.n_neighbors, similar.shape[1])
        least = np.maximum(np.partition(similar, -k, axis=1)[:, -k], 0)[:, None]
        near = (similar >= least - TIE * least) & (similar > 0)
        tied = near & (similar <= least + TIE * least)
        # Of those that are as near as the last neighbour, each counts for a part.
        room = k - (near & ~tied).sum(axis=1)
        part = room / np.maximum(tied.sum(axis=1), 1)
        rows, columns = np.nonzero(near)
        weights = similar[near].astype(np.float64) ** self.power
        weights *= np.where(tied[near], np.minimum(part, 1)[rows], 1)
        table = csr_matrix((weights, (rows, columns)), shape=similar.shape)
        return table @ self.labels_.astype(np.float64), np.asarray(table.sum(axis=1)).ravel()


def _typical(weight: np.ndarray) -> float:
    """Median of what neighbours weigh, of the ads that have any."""
    return float(np.median(weight[weight > 0])) if (weight > 0).any() else 0.0
