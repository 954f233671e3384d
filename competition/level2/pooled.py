"""A logistic regression pooled over all tags, which a tag leaves as far as the evidence says."""

import numpy as np

from competition.devices import torch_threads
from competition.level2.base import Ads, FoldwiseLearner
from competition.level2.features import to_logits
from competition.level2.linear import linear_stack
from competition.level2.registry import meta_learner


@meta_learner("pooled")
class Pooled(FoldwiseLearner):
    """A logistic regression over all tags on the models' logits and the tag's prior logit.

    To the weights that all tags share, each tag adds terms of its own, which are shrunk towards
    zero as strongly as the evidence of all tags says (MacKay 1992, see `linear_stack`). A few
    hundred ads suffice for the shared weights; with many ads each tag finds its own.
    """

    complexity = 3

    def _fit_predict(
        self, train: Ads, labels: np.ndarray, asked: Ads, n_threads: int
    ) -> np.ndarray:
        import torch

        logits = np.concatenate([to_logits(train.probabilities), to_logits(asked.probabilities)])
        with torch_threads(n_threads):
            stacked = linear_stack(
                torch.from_numpy(logits),
                [torch.zeros(len(logits), 0)],
                torch.from_numpy(labels.astype(np.float32)),
                torch.arange(len(train)),
            )
            return torch.sigmoid(stacked[len(train) :]).numpy()
