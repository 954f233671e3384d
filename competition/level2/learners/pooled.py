"""A logistic regression pooled over all tags, which a tag leaves as far as the evidence says."""

import numpy as np

from competition.execution.devices import torch_threads
from competition.level2.base import MetaLearner
from competition.level2.components.linear import linear_stack, stacked
from competition.level2.components.logits import Logits, blocks, to_logits
from competition.level2.data import Ads, StackData
from competition.level2.registry import meta_learner


@meta_learner("pooled")
class Pooled(MetaLearner):
    """A logistic regression over all tags on the models' logits and the tag's prior logit.

    To the weights that all tags share, each tag adds terms of its own, which are shrunk towards
    zero as strongly as the evidence of all tags says (MacKay 1992, see `linear_stack`). A few
    hundred ads suffice for the shared weights; with many ads each tag finds its own.

    Level-1 predictions that lie in a file are read a block of ads at a time.
    """

    complexity = 3
    libraries = ("torch",)

    def _fit(self, data: StackData) -> None:
        with torch_threads(1):
            self.weights_ = linear_stack(Logits(data.ads), [], data.labels)

    def _predict_proba(self, ads: Ads) -> np.ndarray:
        import torch

        found = np.empty((len(ads), self.n_tags_), dtype=np.float32)
        with torch_threads(1):
            for block in blocks(len(ads)):
                logits = torch.from_numpy(to_logits(ads.read(block)))
                found[block] = torch.sigmoid(stacked(self.weights_, logits, []))
        return found
