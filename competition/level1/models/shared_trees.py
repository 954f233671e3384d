"""Trees whose leaves hold all tags: for many tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from competition.level1.base import Level1Model
from competition.level1.components.reduced import REDUCED_TERMS, ReducedFeatures
from competition.level1.components.shared_trees import boost, needed
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
    from lightgbm import Booster
    from optuna import Trial


@level1_model("shared_trees", kinds=("text", "metadata"))
class SharedTrees(Level1Model):
    """Gradient-boosted trees over text scores and metadata, each grown leaf by leaf for all tags.

    A round grows one tree of LightGBM on a random mixture of the tags' gradients, where `lightgbm`
    grows one for each tag: several times faster with many tags
    (`competition.level1.components.shared_trees`). Boosting starts from each tag's prior and takes
    a fixed number of small steps, so that the probability of a rare tag stays near its prior unless
    the evidence is plain.

    Parameters
    ----------
    n_estimators : int
        Trees; of few tags, fewer. Fixed: no ads are set aside to stop early with.
    learning_rate : float
    num_leaves : int
        Most leaves of a tree; of few tags, fewer.
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
        n_estimators: Count = 200,
        learning_rate: Positive = 0.06,
        num_leaves: Leaves = 15,
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
            "n_estimators": trial.suggest_int("n_estimators", 50, 800, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
            "num_leaves": trial.suggest_int("num_leaves", 3, 63, log=True),
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
            "objective": "none",
            "learning_rate": 1.0,  # of no matter: what leaves are worth is found elsewhere
            "num_leaves": needed(self.num_leaves, Y.shape[1]),
            "min_data_in_leaf": self.min_child_samples,
            "min_sum_hessian_in_leaf": 0.0,
            "feature_fraction_bynode": self.colsample_bynode,
            "bagging_fraction": self.subsample,
            "bagging_freq": 1,
            "max_bin": 127,
            "min_data_in_bin": 1,
            # The ads are binned before any target is known: what no split on one target could use
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
        ones = np.ones(len(Y), dtype=np.float32)
        booster = lightgbm.Booster(parameters, lightgbm.Dataset(matrix, ones, params=parameters))

        def grow(target: np.ndarray) -> np.ndarray | None:
            tree = booster.num_trees()
            booster.update(fobj=lambda *_: (target, ones))
            if booster.num_trees() == tree:
                return None
            return _leaves(booster, matrix, tree, 1)[:, 0]

        self.leaf_values_ = boost(
            Y,
            grow,
            n_rounds=self.n_estimators,
            learning_rate=self.learning_rate,
            reg_lambda=self.reg_lambda,
            random_state=self.random_state,
        )
        # As `lightgbm.train` does: a copy that lets go of the ads.
        self.booster_ = booster.model_from_string(booster.model_to_string()).free_dataset()

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        matrix = self.features_.transform(X)
        return self.leaf_values_.predict_proba(_leaves(self.booster_, matrix))


def _leaves(booster: Booster, matrix: np.ndarray, first: int = 0, trees: int = -1) -> np.ndarray:
    """Leaf that an ad falls into, of some trees or of all: (n_ads, n_trees), of int."""
    found = booster.predict(matrix, first, trees, pred_leaf=True, num_threads=1)
    return np.asarray(found).reshape(len(matrix), -1).astype(np.intp)
