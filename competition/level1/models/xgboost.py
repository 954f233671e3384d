"""XGBoost: all tags in one booster, one tree per tag and round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from competition.level1.base import Level1Model
from competition.level1.components.reduced import REDUCED_TERMS, ReducedFeatures
from competition.level1.registry import level1_model
from competition.text.terms import TermsSpec
from competition.utils.parameters import Count, NotNegative, Positive, Seed, SomeShare

if TYPE_CHECKING:
    from optuna import Trial

MAX_BIN = 64


@level1_model("xgboost", kinds=("text", "metadata"))
class XGBoost(Level1Model):
    """Gradient-boosted trees over text scores and metadata, all tags in one booster.

    Boosting starts from each tag's prior and takes a fixed number of small steps. A tree serves one
    tag: trees whose leaves hold all tags at once rank worse and take longer.

    Parameters
    ----------
    n_estimators : int
        Trees per tag. Fixed: no ads are set aside to stop early with.
    learning_rate : float
    max_depth : int
        Most splits between the root of a tree and a leaf.
    min_child_weight : float
        Least sum of ``p (1 - p)`` over the ads of a leaf.
    reg_lambda : float
        L2 penalty on the values of leaves.
    colsample_bynode : float
        Share of the features, drawn anew, that each split may choose from.
    subsample : float
        Share of the ads, drawn anew, that each tree is grown on.
    min_df : int
        Terms of fewer training ads than this are ignored.
    random_state : int
    """

    libraries = ("xgboost",)

    def __init__(
        self,
        n_estimators: Count = 100,
        learning_rate: Positive = 0.05,
        max_depth: Count = 3,
        min_child_weight: NotNegative = 1.0,
        reg_lambda: NotNegative = 1.0,
        colsample_bynode: SomeShare = 0.5,
        subsample: SomeShare = 0.7,
        min_df: Count = 2,
        random_state: Seed = 0,
    ) -> None:
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.min_child_weight = min_child_weight
        self.reg_lambda = reg_lambda
        self.colsample_bynode = colsample_bynode
        self.subsample = subsample
        self.min_df = min_df
        self.random_state = random_state

    @staticmethod
    def search_space(trial: Trial) -> dict[str, Any]:
        """What `tune` tries."""
        return {
            "n_estimators": trial.suggest_int("n_estimators", 25, 400, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
            "max_depth": trial.suggest_int("max_depth", 1, 6),
            "min_child_weight": trial.suggest_float("min_child_weight", 0.1, 10, log=True),
            "reg_lambda": trial.suggest_float("reg_lambda", 0.1, 30, log=True),
            "colsample_bynode": trial.suggest_float("colsample_bynode", 0.1, 1),
            "subsample": trial.suggest_float("subsample", 0.4, 1),
        }

    @property
    def text_terms(self) -> TermsSpec:
        """What is counted in texts."""
        return REDUCED_TERMS

    def _fit(self, X: pd.DataFrame, Y: np.ndarray) -> None:
        import xgboost

        self.features_ = ReducedFeatures(REDUCED_TERMS, self.min_df, self.random_state)
        # Given as a bare array, features have no names: XGBoost refuses some that users have.
        binned = xgboost.QuantileDMatrix(
            self.features_.fit_transform(X, Y),
            label=Y.astype(np.float32),
            max_bin=MAX_BIN,
            nthread=1,
        )
        parameters = {
            "objective": "binary:logistic",
            "base_score": Y.mean(axis=0).tolist(),
            "tree_method": "hist",
            "multi_strategy": "one_output_per_tree",
            "max_bin": MAX_BIN,
            "learning_rate": self.learning_rate,
            "max_depth": self.max_depth,
            "min_child_weight": self.min_child_weight,
            "reg_lambda": self.reg_lambda,
            "colsample_bynode": self.colsample_bynode,
            "subsample": self.subsample,
            "seed": self.random_state,
            "nthread": 1,  # folds run side by side; threads within one fight for the cores
        }
        self.booster_ = xgboost.train(parameters, binned, num_boost_round=self.n_estimators)

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        probabilities = self.booster_.inplace_predict(self.features_.transform(X))
        return probabilities.reshape(len(X), -1)  # one tag comes without its dimension
