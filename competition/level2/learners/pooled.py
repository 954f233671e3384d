"""A logistic regression pooled over all tags, which a tag leaves as far as the evidence says."""

import numpy as np

from competition.execution.devices import torch_threads
from competition.level2.base import MetaLearner, StackInput, StackOutput, check_folds, fold_by_fold
from competition.level2.components.linear import linear_stack, stacked
from competition.level2.components.logits import Logits
from competition.level2.registry import meta_learner


@meta_learner("pooled")
class Pooled(MetaLearner):
    """A logistic regression over all tags on the models' logits and the tag's prior logit.

    To the weights that all tags share, each tag adds terms of its own, which are shrunk towards
    zero as strongly as the evidence of all tags says (MacKay 1992, see `linear_stack`). A few
    hundred ads suffice for the shared weights; with many ads each tag finds its own.

    Predictions may lie in files that are mapped into memory: they are read a part at a time.
    """

    complexity = 3

    def cross_fit(self, data: StackInput, n_jobs: int = 1) -> StackOutput:
        """Predict every fold by regressions on the other folds, and the test ads.

        Raises
        ------
        ModelError
            If there are fewer than two folds, or a level-1 probability is not a number between 0
            and 1.
        """
        import torch

        check_folds(data)
        logits = Logits(data)

        def predict(_: int, training: np.ndarray, asked: np.ndarray) -> np.ndarray:
            weights = linear_stack(logits, [], data.labels, training)
            return torch.sigmoid(stacked(weights, logits, [], asked)).numpy()

        with torch_threads(1):  # of each fold: the bytes do not depend on how many there are
            return fold_by_fold(data, predict, n_jobs)
