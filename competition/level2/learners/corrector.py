"""Boosted trees that learn only what a shrunken linear stack leaves over."""

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from competition.level2.base import MetaLearner
from competition.level2.components.corrections import best_strength
from competition.level2.components.logits import to_logits
from competition.level2.components.pairs import BINNED, BINS, PairFeatures, fit_pairs
from competition.level2.crossfit import cross_fit
from competition.level2.data import Ads, StackData
from competition.level2.learners.pooled import Pooled
from competition.level2.registry import meta_learner
from competition.utils.parameters import Count, Leaves, NotNegative, Positive, Seed, Whole

if TYPE_CHECKING:
    from lightgbm import Booster
    from optuna import Trial

# Pairs that the number of trees and their weight are chosen on: more folds than hold them would
# take most of the time, and choose alike.
CHOSEN_ON = 150_000
FLOOR = 1e-6  # of the base's probabilities; boosting begins at their logits


@meta_learner("corrector")
class Corrector(MetaLearner):
    """LightGBM over (ad, tag) pairs that begins at `pooled` and adds a correction to its logits.

    1. `pooled` is cross-fitted among the folds of the training ads.
    2. Each fold, or as many as hold 150,000 pairs, is predicted by trees that are grown on the
       others, from the logits of step 1 on. The number of trees, and a weight in [0, 1] for what
       they add, are those with the lowest log loss. Where that gains less over `pooled` than one
       standard error over ads, or there is a single fold, the weight is 0, and `pooled` remains,
       to the bit.
    3. Trees are grown on all training ads. What they add, times the weight, goes on top of
       `pooled` fitted to all of them.

    Parameters
    ----------
    rounds : tuple of int
        Numbers of trees to choose from, ascending.
    learning_rate : float
    num_leaves : int
        Most leaves of a tree.
    min_child_samples : int
        Fewest pairs in a leaf.
    reg_lambda : float
        L2 penalty on the values of leaves.
    random_state : int

    Attributes
    ----------
    base_ : Pooled
    rounds_ : int
        Number of trees.
    strength_ : float
        Weight of their correction.
    pairs_, booster_ : PairFeatures and lightgbm.Booster, or None
        None where the weight is 0.
    """

    libraries = ("torch",)

    def __init__(
        self,
        rounds: Annotated[tuple[Count, ...], Field(min_length=1)] = (10, 30, 100),
        learning_rate: Positive = 0.05,
        num_leaves: Leaves = 7,
        min_child_samples: Whole = 50,
        reg_lambda: NotNegative = 1.0,
        random_state: Seed = 0,
    ) -> None:
        self.rounds = rounds
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.min_child_samples = min_child_samples
        self.reg_lambda = reg_lambda
        self.random_state = random_state

    @staticmethod
    def search_space(trial: "Trial") -> dict[str, Any]:
        """What `tune` tries."""
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
            "num_leaves": trial.suggest_int("num_leaves", 3, 32, log=True),
            "min_child_samples": trial.suggest_int("min_child_samples", 5, 500, log=True),
            "reg_lambda": trial.suggest_float("reg_lambda", 0.01, 100, log=True),
        }

    @property
    def correction(self) -> float:
        """Weight in [0, 1] of what the trees add."""
        return self.strength_

    def _fit(self, data: StackData) -> None:
        self.base_ = Pooled().fit(data)
        self.rounds_, self.strength_ = self.rounds[0], 0.0
        self.pairs_: PairFeatures | None = None
        self.booster_: Booster | None = None
        if len(data.folds) < 2:
            return
        begun = to_logits(cross_fit(Pooled(), data).oof, FLOOR)
        self.rounds_, self.strength_ = self._chosen(data, begun)
        if self.strength_ > 0:
            self.pairs_, self.booster_ = self._grown(data, begun, self.rounds_)

    def _predict_proba(self, ads: Ads) -> np.ndarray:
        from scipy.special import expit

        uncorrected = self.base_.predict_proba(ads)
        if self.pairs_ is None or self.booster_ is None:
            return uncorrected
        start = to_logits(uncorrected, FLOOR)
        pairs = _with_start(self.pairs_.of_ads(ads), start)
        return expit(start + self.strength_ * _added(self.booster_, pairs, start, self.rounds_))

    def _chosen(self, data: StackData, begun: np.ndarray) -> tuple[int, float]:
        """Number of trees and weight that do best on folds that the trees have not seen."""
        folds, n_pairs = list[int](), 0
        for fold in data.folds:
            if n_pairs < CHOSEN_ON:
                folds.append(fold)
                n_pairs += np.count_nonzero(data.fold == fold) * begun.shape[1]
        added = np.zeros((len(self.rounds), *begun.shape))
        for fold in folds:
            left = np.flatnonzero(data.fold == fold)
            pairs, booster = self._grown(
                data.without_fold(fold), begun[data.fold != fold], max(self.rounds)
            )
            its_pairs = _with_start(pairs.of_ads(data.ads.take(left)), begun[left])
            for place, rounds in enumerate(self.rounds):
                added[place, left] = _added(booster, its_pairs, begun[left], rounds)
        seen = np.isin(data.fold, folds)
        begun, added, labels = begun[seen], added[:, seen], data.labels[seen]
        before = _losses(begun, labels)
        found = []
        for place, rounds in enumerate(self.rounds):
            weight = best_strength(begun, added[place], labels)
            gains = before - _losses(begun + weight * added[place], labels)
            found.append((float(gains.mean()), rounds, weight, gains))
        gain, rounds, weight, gains = max(found, key=lambda one: one[0])
        error = gains.std(ddof=1) / np.sqrt(len(gains))
        return (rounds, weight) if gain > error else (rounds, 0.0)

    def _grown(
        self, data: StackData, begun: np.ndarray, rounds: int
    ) -> "tuple[PairFeatures, Booster]":
        """Grow trees that begin at the logits `begun` of the training ads."""
        import lightgbm

        features = fit_pairs(data)
        parameters: dict[str, Any] = {
            "objective": "binary",
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "min_data_in_leaf": self.min_child_samples,
            "lambda_l2": self.reg_lambda,
            "seed": self.random_state,
            "deterministic": True,
            "max_bin": BINS,
            "bin_construct_sample_cnt": BINNED,
            "force_row_wise": True,
            "num_threads": 1,
            "verbosity": -1,
        }
        dataset = lightgbm.Dataset(
            _with_start(features.of_ads(data.ads), begun),
            data.labels.ravel().astype(np.float32),
            init_score=begun.ravel().astype(np.float64),
            params=parameters,
        )
        return features, lightgbm.train(parameters, dataset, rounds)


def _with_start(pairs: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Pairs with one more column, the logits that the trees begin at."""
    return np.column_stack([pairs, start.reshape(-1, 1)])


def _added(booster: "Booster", pairs: np.ndarray, start: np.ndarray, rounds: int) -> np.ndarray:
    """What the first trees add to the logits `start` of ads: (n_ads, n_tags)."""
    added = booster.predict(pairs, num_iteration=rounds, raw_score=True, num_threads=1)
    return np.asarray(added).reshape(start.shape)


def _losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Log loss of each ad, summed over tags."""
    losses: np.ndarray = (np.logaddexp(0, logits) - labels * logits).sum(axis=1)
    return losses
