"""XGBoost: trees whose leaves hold all tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from competition.level1.base import Level1Model
from competition.level1.components.reduced import REDUCED_TERMS, ReducedFeatures
from competition.level1.components.shared_trees import boost
from competition.level1.registry import level1_model
from competition.text.terms import TermsSpec
from competition.utils.parameters import Count, NotNegative, Positive, Seed, SomeShare

if TYPE_CHECKING:
    from optuna import Trial
    from xgboost import Booster, DMatrix

MAX_BIN = 128


@level1_model("xgboost", kinds=("text", "metadata"))
class XGBoost(Level1Model):
    """Gradient-boosted trees over text scores and metadata, each grown level by level for all tags.

    A round grows one tree on a random mixture of the tags' gradients (`shared_trees`). Boosting
    starts from each tag's prior and takes a fixed number of small steps. XGBoost's own trees for
    all tags, grown on all gradients in place of a mixture, rank no better and take 40 times as
    long.

    Parameters
    ----------
    n_estimators : int
        Trees; of few tags, fewer. Fixed: no ads are set aside to stop early with.
    learning_rate : float
    max_depth : int
        Most splits between the root of a tree and a leaf.
    min_child_weight : float
        Fewest ads in a leaf, of those that its tree is grown on.
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
        n_estimators: Count = 120,
        learning_rate: Positive = 0.1,
        max_depth: Count = 5,
        min_child_weight: NotNegative = 10.0,
        reg_lambda: NotNegative = 0.7,
        colsample_bynode: SomeShare = 0.8,
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
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.3, log=True),
            "max_depth": trial.suggest_int("max_depth", 2, 8),
            "min_child_weight": trial.suggest_float("min_child_weight", 1, 50, log=True),
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
            self.features_.fit_transform(X, Y), max_bin=MAX_BIN, nthread=1
        )
        parameters = {
            "objective": "reg:squarederror",
            "base_score": 0.0,
            "tree_method": "hist",
            "max_bin": MAX_BIN,
            "learning_rate": 1.0,  # of no matter: what leaves are worth is found elsewhere
            "max_depth": self.max_depth,
            "min_child_weight": self.min_child_weight,
            "reg_lambda": 0.0,
            "colsample_bynode": self.colsample_bynode,
            "subsample": self.subsample,
            "seed": self.random_state,
            "nthread": 1,  # folds run side by side; threads within one fight for the cores
        }
        booster = xgboost.Booster(parameters, [binned])
        ones = np.ones(len(Y), dtype=np.float32)

        def grow(target: np.ndarray) -> np.ndarray:
            tree = booster.num_boosted_rounds()
            booster.boost(binned, tree, grad=target, hess=ones)
            return _leaves(booster[tree : tree + 1], binned)[:, 0]

        self.leaf_values_ = boost(
            Y,
            grow,
            n_rounds=self.n_estimators,
            learning_rate=self.learning_rate,
            reg_lambda=self.reg_lambda,
            random_state=self.random_state,
        )
        self.booster_ = booster.reset()  # lets go of the ads

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        import xgboost

        matrix = self.features_.transform(X)
        if not hasattr(self, "leaf_values_"):  # it was saved when each tag had trees of its own
            probabilities = self.booster_.inplace_predict(matrix)
            return probabilities.reshape(len(X), -1)  # one tag comes without its dimension
        leaves = _leaves(self.booster_, xgboost.DMatrix(matrix, nthread=1))
        return self.leaf_values_.predict_proba(leaves)


def _leaves(booster: Booster, ads: DMatrix) -> np.ndarray:
    """Leaf of each tree that an ad falls into: (n_ads, n_trees), of int."""
    return booster.predict(ads, pred_leaf=True).reshape(ads.num_row(), -1).astype(np.intp)
