"""XGBoost over (ad, tag) pairs."""

from typing import TYPE_CHECKING, Any

import numpy as np

from competition.level2.base import MetaLearner
from competition.level2.components.pairs import BINS, fit_pairs
from competition.level2.data import Ads, StackData
from competition.level2.registry import meta_learner
from competition.utils.parameters import Count, NotNegative, Positive, Seed, SomeShare

if TYPE_CHECKING:
    from optuna import Trial


@meta_learner("xgboost")
class XGBoost(MetaLearner):
    """Gradient-boosted trees over (ad, tag) pairs: one booster for all tags.

    A pair is described by `PairFeatures`: a tag is known by its prior and its models' logits, so
    that tags share what they have in common.

    Parameters
    ----------
    n_estimators : int
        Trees. Fixed: no ads are set aside to stop early with.
    learning_rate : float
    max_depth : int
        Most splits between the root of a tree and a leaf.
    min_child_weight : float
        Least sum of ``p (1 - p)`` over the pairs of a leaf.
    reg_lambda : float
        L2 penalty on the values of leaves.
    subsample : float
        Share of the pairs, drawn anew, that each tree is grown on.
    random_state : int
    """

    libraries = ("xgboost",)

    def __init__(
        self,
        n_estimators: Count = 150,
        learning_rate: Positive = 0.05,
        max_depth: Count = 4,
        min_child_weight: NotNegative = 5.0,
        reg_lambda: NotNegative = 1.0,
        subsample: SomeShare = 0.7,
        random_state: Seed = 0,
    ) -> None:
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.min_child_weight = min_child_weight
        self.reg_lambda = reg_lambda
        self.subsample = subsample
        self.random_state = random_state

    @staticmethod
    def search_space(trial: "Trial") -> dict[str, Any]:
        """What `tune` tries."""
        return {
            "n_estimators": trial.suggest_int("n_estimators", 50, 600, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
            "max_depth": trial.suggest_int("max_depth", 2, 8),
            "min_child_weight": trial.suggest_float("min_child_weight", 0.5, 50, log=True),
            "reg_lambda": trial.suggest_float("reg_lambda", 0.01, 100, log=True),
            "subsample": trial.suggest_float("subsample", 0.3, 1),
        }

    def _fit(self, data: StackData) -> None:
        import xgboost

        self.pairs_ = fit_pairs(data)
        pairs, truth = self.pairs_.of_ads(data.ads), data.labels.ravel().astype(np.float32)
        parameters = {
            "objective": "binary:logistic",
            # Never exactly 0 or 1, where boosting could not begin.
            "base_score": (data.labels.sum() + 0.5) / (data.labels.size + 1),
            "tree_method": "hist",
            "max_bin": BINS,
            "learning_rate": self.learning_rate,
            "max_depth": self.max_depth,
            "min_child_weight": self.min_child_weight,
            "reg_lambda": self.reg_lambda,
            "subsample": self.subsample,
            "seed": self.random_state,
            "nthread": data.n_threads,
        }
        binned = xgboost.QuantileDMatrix(pairs, truth, max_bin=BINS, nthread=data.n_threads)
        self.booster_ = xgboost.train(parameters, binned, num_boost_round=self.n_estimators)

    def _predict_proba(self, ads: Ads) -> np.ndarray:
        predicted = self.booster_.inplace_predict(self.pairs_.of_ads(ads))
        return np.asarray(predicted).reshape(len(ads), -1)
