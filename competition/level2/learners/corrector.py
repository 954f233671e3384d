"""Boosted trees that learn only what a shrunken linear stack leaves over."""

from typing import TYPE_CHECKING, Any

import numpy as np

from competition.level2.base import (
    Ads,
    MetaLearner,
    StackInput,
    StackOutput,
    ads_of,
    check_folds,
    fold_by_fold,
)
from competition.level2.components.logits import to_logits
from competition.level2.components.pairs import pair_features
from competition.level2.learners.pooled import Pooled
from competition.level2.registry import meta_learner
from competition.level2.selection import without_fold

if TYPE_CHECKING:
    from optuna import Trial

FLOOR = 1e-6  # of the base's probabilities; boosting begins at their logits


@meta_learner("corrector")
class Corrector(MetaLearner):
    """LightGBM over (ad, tag) pairs that begins at `pooled` and adds a correction to its logits.

    For each fold, with the ads of the other folds only:

    1. `pooled` is cross-fitted among these folds.
    2. Each of them is predicted by trees that are grown on the others, from the logits of step 1
       on. The number of trees, and a weight in [0, 1] for what they add, are those with the lowest
       log loss. Where that gains less over `pooled` than one standard error over ads, the weight
       is 0, and `pooled` remains, to the bit.
    3. Trees are grown on all of them. What they add, times the weight, goes on top of `pooled`
       trained on all of them.

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
    rounds_ : list of int
        Trees for each fold, folds ascending.
    weights_ : list of float
        Weight of their correction.
    """

    def __init__(
        self,
        rounds: tuple[int, ...] = (10, 30, 100),
        learning_rate: float = 0.05,
        num_leaves: int = 7,
        min_child_samples: int = 50,
        reg_lambda: float = 1.0,
        random_state: int = 0,
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

    def cross_fit(self, data: StackInput, n_jobs: int = 1) -> StackOutput:
        """Predict every fold by a base and trees of the other folds, and the test ads.

        Raises
        ------
        ModelError
            If there are fewer than two folds, or a level-1 probability is not a number between 0
            and 1.
        """
        check_folds(data)
        base, ads = Pooled().cross_fit(data, n_jobs), ads_of(data)
        self.rounds_: list[int] = []
        self.weights_: list[float] = []

        def predict(k: int, training: np.ndarray, asked: np.ndarray) -> np.ndarray:
            held_out = asked[: len(asked) - len(data.test)]
            uncorrected = np.concatenate([base.oof[held_out], base.fold_test[k]])
            rest = without_fold(data, data.folds[k])
            rounds, weight = self.rounds[0], 0.0
            if len(rest.folds) > 1:
                begun = to_logits(Pooled().cross_fit(rest, n_jobs).oof, FLOOR)
                rounds, weight = self._chosen(rest, begun)
            self.rounds_.append(rounds)
            self.weights_.append(weight)
            if weight == 0:
                return uncorrected
            start = to_logits(uncorrected, FLOOR)
            added = self._added(
                ads.take(training), begun, rest.labels, ads.take(asked), start, (rounds,)
            )[0]
            return _sigmoid(start + weight * added)

        return fold_by_fold(data, predict)

    def _chosen(self, data: StackInput, begun: np.ndarray) -> tuple[int, float]:
        """Number of trees and weight that do best on folds that the trees have not seen."""
        ads = ads_of(data)
        added = np.zeros((len(self.rounds), *begun.shape))
        for fold in data.folds:
            training, left = np.flatnonzero(data.fold != fold), np.flatnonzero(data.fold == fold)
            added[:, left] = self._added(
                ads.take(training),
                begun[training],
                data.labels[training],
                ads.take(left),
                begun[left],
                self.rounds,
            )
        before = _losses(begun, data.labels)
        found = []
        for place, rounds in enumerate(self.rounds):
            weight = best_weight(begun, added[place], data.labels)
            gains = before - _losses(begun + weight * added[place], data.labels)
            found.append((float(gains.mean()), rounds, weight, gains))
        gain, rounds, weight, gains = max(found, key=lambda one: one[0])
        error = gains.std(ddof=1) / np.sqrt(len(gains))
        return (rounds, weight) if gain > error else (rounds, 0.0)

    def _added(
        self,
        train: Ads,
        begun: np.ndarray,
        labels: np.ndarray,
        asked: Ads,
        start: np.ndarray,
        rounds: tuple[int, ...],
    ) -> np.ndarray:
        """What trees add to the logits `start` of the asked ads, after each number of rounds."""
        import lightgbm

        known, unknown = pair_features(train, labels, asked)
        known = np.column_stack([known, begun.reshape(-1, 1)])
        unknown = np.column_stack([unknown, start.reshape(-1, 1)])
        parameters: dict[str, Any] = {
            "objective": "binary",
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "min_data_in_leaf": self.min_child_samples,
            "lambda_l2": self.reg_lambda,
            "seed": self.random_state,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbosity": -1,
        }
        dataset = lightgbm.Dataset(
            known,
            labels.ravel().astype(np.float32),
            init_score=begun.ravel().astype(np.float64),
            params=parameters,
        )
        booster = lightgbm.train(parameters, dataset, max(rounds))
        return np.stack(
            [
                np.asarray(
                    booster.predict(unknown, num_iteration=n, raw_score=True, num_threads=1)
                ).reshape(start.shape)
                for n in rounds
            ]
        )


def best_weight(base: np.ndarray, added: np.ndarray, labels: np.ndarray) -> float:
    """Weight in [0, 1] of what is added to logits with the lowest log loss, by Newton's method."""
    weight = 0.0
    for _ in range(10):
        probability = _sigmoid(base + weight * added)
        slope = (added * (probability - labels)).sum()
        bend = (added**2 * probability * (1 - probability)).sum()
        weight = min(1.0, max(0.0, weight - float(slope / (bend + 1e-6))))
    return weight


def _losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Log loss of each ad, summed over tags."""
    losses: np.ndarray = (np.logaddexp(0, logits) - labels * logits).sum(axis=1)
    return losses


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    return np.asarray(expit(logits))
