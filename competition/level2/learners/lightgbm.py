"""LightGBM over (ad, tag) pairs."""

from typing import TYPE_CHECKING, Any

import numpy as np

from competition.level2.base import MetaLearner
from competition.level2.components.pairs import BINNED, BINS, fit_pairs
from competition.level2.data import Ads, StackData
from competition.level2.registry import meta_learner
from competition.utils.parameters import (
    Count,
    Leaves,
    NotNegative,
    Positive,
    Seed,
    SomeShare,
    Whole,
)

if TYPE_CHECKING:
    from optuna import Trial


@meta_learner("lightgbm")
class LightGBM(MetaLearner):
    """Gradient-boosted trees over (ad, tag) pairs: one booster for all tags.

    A pair is described by `PairFeatures`: a tag is known by its prior and its models' logits, so
    that tags share what they have in common.

    Parameters
    ----------
    n_estimators : int
        Trees. Fixed: no ads are set aside to stop early with.
    learning_rate : float
    num_leaves : int
        Most leaves of a tree.
    min_child_samples : int
        Fewest pairs in a leaf.
    reg_lambda : float
        L2 penalty on the values of leaves.
    subsample : float
        Share of the pairs, drawn anew, that each tree is grown on.
    random_state : int
    """

    def __init__(
        self,
        n_estimators: Count = 150,
        learning_rate: Positive = 0.05,
        num_leaves: Leaves = 15,
        min_child_samples: Whole = 50,
        reg_lambda: NotNegative = 1.0,
        subsample: SomeShare = 0.7,
        random_state: Seed = 0,
    ) -> None:
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.min_child_samples = min_child_samples
        self.reg_lambda = reg_lambda
        self.subsample = subsample
        self.random_state = random_state

    @staticmethod
    def search_space(trial: "Trial") -> dict[str, Any]:
        """What `tune` tries."""
        return {
            "n_estimators": trial.suggest_int("n_estimators", 50, 600, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
            "num_leaves": trial.suggest_int("num_leaves", 4, 64, log=True),
            "min_child_samples": trial.suggest_int("min_child_samples", 5, 500, log=True),
            "reg_lambda": trial.suggest_float("reg_lambda", 0.01, 100, log=True),
            "subsample": trial.suggest_float("subsample", 0.3, 1),
        }

    def _fit(self, data: StackData) -> None:
        import lightgbm

        self.pairs_ = fit_pairs(data)
        pairs, truth = self.pairs_.of_ads(data.ads), data.labels.ravel().astype(np.float32)
        parameters = {
            "objective": "binary",
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "min_data_in_leaf": self.min_child_samples,
            "lambda_l2": self.reg_lambda,
            "bagging_fraction": self.subsample,
            "bagging_freq": 1,
            "seed": self.random_state,
            "deterministic": True,
            "max_bin": BINS,
            "bin_construct_sample_cnt": BINNED,
            "force_row_wise": True,
            "num_threads": data.n_threads,
            "verbosity": -1,
        }
        dataset = lightgbm.Dataset(pairs, truth, params=parameters)
        self.booster_ = lightgbm.train(parameters, dataset, self.n_estimators)

    def _predict_proba(self, ads: Ads) -> np.ndarray:
        predicted = self.booster_.predict(self.pairs_.of_ads(ads), num_threads=1)
        return np.asarray(predicted).reshape(len(ads), -1)
