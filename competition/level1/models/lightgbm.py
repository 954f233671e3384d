"""LightGBM: one booster per tag, over one binned matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from competition.level1.base import Level1Model
from competition.level1.components.reduced import REDUCED_TERMS, ReducedFeatures
from competition.level1.registry import level1_model
from competition.text.terms import TermsSpec
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


@level1_model("lightgbm", kinds=("text", "metadata"))
class LightGBM(Level1Model):
    """Gradient-boosted trees over text scores and metadata, one booster per tag.

    Boosting starts from the tag's prior and takes a fixed number of small steps, so that the
    probability of a rare tag stays near its prior unless the evidence is plain: GAP ranks the tags
    of all ads in one list, where one overconfident rare tag costs more than many timid ones.

    Parameters
    ----------
    n_estimators : int
        Trees per tag. Fixed: no ads are set aside to stop early with.
    learning_rate : float
    num_leaves : int
        Most leaves of a tree.
    min_child_samples : int
        Fewest ads in a leaf.
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

    def __init__(
        self,
        n_estimators: Count = 100,
        learning_rate: Positive = 0.05,
        num_leaves: Leaves = 7,
        min_child_samples: Whole = 10,
        reg_lambda: NotNegative = 1.0,
        colsample_bynode: SomeShare = 0.5,
        subsample: SomeShare = 0.7,
        min_df: Count = 2,
        random_state: Seed = 0,
    ) -> None:
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.min_child_samples = min_child_samples
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
            "num_leaves": trial.suggest_int("num_leaves", 3, 31, log=True),
            "min_child_samples": trial.suggest_int("min_child_samples", 3, 50, log=True),
            "reg_lambda": trial.suggest_float("reg_lambda", 0.1, 30, log=True),
            "colsample_bynode": trial.suggest_float("colsample_bynode", 0.1, 1),
            "subsample": trial.suggest_float("subsample", 0.4, 1),
        }

    @property
    def text_terms(self) -> TermsSpec:
        """What is counted in texts."""
        return REDUCED_TERMS

    def _fit(self, X: pd.DataFrame, Y: np.ndarray) -> None:
        import lightgbm

        self.features_ = ReducedFeatures(REDUCED_TERMS, self.min_df, self.random_state)
        parameters = {
            "objective": "binary",
            "boost_from_average": True,
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "min_data_in_leaf": self.min_child_samples,
            "lambda_l2": self.reg_lambda,
            "feature_fraction_bynode": self.colsample_bynode,
            "bagging_fraction": self.subsample,
            "bagging_freq": 1,
            "max_bin": 63,
            "min_data_in_bin": 1,
            # The ads are binned before any label is known: what no split of one tag could use
            # may not be dropped for all.
            "feature_pre_filter": False,
            "seed": self.random_state,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,  # folds run side by side; threads within one fight for the cores
            "verbosity": -1,
        }
        # Given as a bare array, features have no names: LightGBM refuses some that users have.
        matrix = self.features_.fit_transform(X, Y)
        binned = lightgbm.Dataset(matrix, params=parameters).construct()
        self.boosters_ = []
        for labels in Y.T:
            binned.set_label(labels.astype(np.float32))
            self.boosters_.append(lightgbm.train(parameters, binned, self.n_estimators))

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        matrix = self.features_.transform(X)
        return np.column_stack(
            [booster.predict(matrix, num_threads=1) for booster in self.boosters_]
        )
