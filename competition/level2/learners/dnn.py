"""The paper's meta-learner: small deep networks that correct a linear stack.

The winning paper of the 2021 Tencent competition (section 3.3) puts a 3-layer network with dropout
on the concatenated out-of-fold probabilities and extra features. Alone, such a network overfits on
a few hundred ads; so here it predicts what a linear stack leaves over, and only as much of its
correction is used as pays on ads it was not trained with.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from competition.execution.devices import torch_threads
from competition.level2.base import (
    MetaLearner,
    StackInput,
    StackOutput,
    check_folds,
    fold_by_fold,
    prior_logits,
)
from competition.level2.components.features import EncodedMetadata
from competition.level2.components.linear import linear_stack, principal_directions, stacked
from competition.level2.components.logits import Logits, enough, to_logits
from competition.level2.components.networks import Inputs, corrections, standardiser, train
from competition.level2.registry import meta_learner
from competition.utils.errors import ModelError

if TYPE_CHECKING:
    from optuna import Trial
    from torch import Tensor

# A network leaves out one of this many parts of its fold's training ads, or of more: one part for
# each network.
PARTS = 5

NOT_OF_NETWORKS = ("seeds", "context", "random_state")


@meta_learner("dnn")
class DNN(MetaLearner):
    """Networks with three dense layers and dropout on top of a shrunken linear stack.

    For each fold, with the ads of the other folds only:

    1. A logistic regression per tag on the level-1 logits, the metadata about the ad and the main
       directions of the mean logits of all tags. Its weights are drawn towards those of one
       regression pooled over all tags, as strongly as the evidence says (MacKay's fixed point).
    2. `seeds` networks on the concatenated level-1 logits and the metadata. Their output is added
       to the logits of step 1 and starts at 0. Each leaves out another part of the training ads.
    3. The networks' mean output is weighed by a number in [0, 1]: the one with the lowest log
       loss on those left-out parts, times what the mean gains over one network.

    Held-out ads decide nothing: the number of steps is fixed, and step 3 sees training ads only.
    Where there are too few ads to learn a correction, its weight goes to 0, and the linear stack
    remains. It needs about 300 ads and two folds; the networks begin to pay at a few thousand.

    Parameters
    ----------
    hidden : tuple of int
        Widths of the hidden dense layers; the output layer comes on top.
    dropout : float
        Share of hidden units dropped in each training step.
    modality_dropout : float
        Share of ads in each step of which one modality is dropped: the models that read the same
        inputs answer with the tags' priors, and a flag says so.
    epochs : float
        Times a network sees each training ad, if that makes at least `min_steps` steps.
    min_steps, max_steps : int
        Fewest and most optimiser steps.
    batch_size : int
        Ads in a step of one network.
    learning_rate : float
        Peak of AdamW's learning rate, which then falls to 0 along a cosine.
    weight_decay : float
        AdamW's decay of the dense weights.
    context : int
        Most directions of the mean logits that the linear stack sees.
    seeds : int
        Networks for each fold.
    random_state : int
        Same number, same bytes.
    """

    def __init__(
        self,
        hidden: tuple[int, ...] = (64, 64),
        dropout: float = 0.3,
        modality_dropout: float = 0.2,
        epochs: float = 10,
        min_steps: int = 100,
        max_steps: int = 5000,
        batch_size: int = 128,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.01,
        context: int = 12,
        seeds: int = 5,
        random_state: int = 0,
    ) -> None:
        self.hidden = hidden
        self.dropout = dropout
        self.modality_dropout = modality_dropout
        self.epochs = epochs
        self.min_steps = min_steps
        self.max_steps = max_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.context = context
        self.seeds = seeds
        self.random_state = random_state

    @staticmethod
    def search_space(trial: "Trial") -> dict[str, Any]:
        """What `tune` tries; more `seeds` are never worse, only slower."""
        return {
            "dropout": trial.suggest_float("dropout", 0, 0.7),
            "modality_dropout": trial.suggest_float("modality_dropout", 0, 0.5),
            "epochs": trial.suggest_float("epochs", 3, 40, log=True),
            "min_steps": trial.suggest_int("min_steps", 25, 400, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 3e-4, 2e-2, log=True),
            "weight_decay": trial.suggest_float("weight_decay", 1e-4, 1, log=True),
            "context": trial.suggest_int("context", 0, 32),
        }

    def cross_fit(self, data: StackInput, n_jobs: int = 1) -> StackOutput:
        """Predict every fold by networks trained on the other folds, and the test ads.

        Sets ``strength_``, a float64 array of shape (n_folds,): how much of the networks'
        correction each fold's meta-learner uses.

        Raises
        ------
        ModelError
            If a parameter is out of range, there are fewer than two folds, or a level-1
            probability is not a number between 0 and 1.
        """
        self._check(data)
        logits = Logits(data)
        missing = np.concatenate([data.train_missing, data.test_missing])
        all_metadata = pd.concat([data.train_metadata, data.test_metadata], ignore_index=True)
        metadata = EncodedMetadata(all_metadata, missing)
        modalities = models_and_absence(data.reads, missing)
        mean_logits = logits.mean() if self.context else np.zeros((logits.n_ads, 0), np.float32)
        self.strength_ = np.empty(len(data.folds))

        def predict(k: int, training: np.ndarray, asked: np.ndarray) -> np.ndarray:
            inputs = self._inputs(logits, metadata, modalities, mean_logits, data.labels, training)
            found, self.strength_[k] = self._corrected(k, inputs, data.labels, training, asked)
            return found

        with torch_threads(1):  # of each fold: the bytes do not depend on how many there are
            return fold_by_fold(data, predict, n_jobs)

    def _check(self, data: StackInput) -> None:
        for name in ("batch_size", "seeds", "min_steps", "max_steps", "learning_rate"):
            if getattr(self, name) <= 0:
                raise ModelError(
                    f"DNN needs {name} above 0, got {getattr(self, name)}. Set it higher."
                )
        for name in ("dropout", "modality_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ModelError(
                    f"DNN needs {name} in [0, 1), got {getattr(self, name)}. Set it lower."
                )
        check_folds(data)
        if min(np.count_nonzero(data.fold != fold) for fold in data.folds) < 2:
            raise ModelError(
                f"DNN needs two training ads or more for each fold, got {len(data.fold)} ads in "
                f"{len(data.folds)} folds. Give it more ads."
            )

    def _inputs(
        self,
        logits: Logits,
        metadata: EncodedMetadata,
        modalities: tuple[np.ndarray, np.ndarray],
        mean_logits: np.ndarray,
        labels: np.ndarray,
        training: np.ndarray,
    ) -> Inputs:
        """Inputs of one fold's networks, and the linear stack that they correct."""
        import torch

        some = enough(training)
        plain, hinges = (torch.from_numpy(part) for part in metadata.design(some))
        context = torch.from_numpy(principal_directions(mean_logits, some, self.context))
        kinds = [plain, hinges, context]
        weights = linear_stack(logits, kinds, labels, training)
        models, absent = (torch.from_numpy(part.astype(np.float32)) for part in modalities)
        floor, ceiling = to_logits(np.array([0, 1], dtype=np.float32))
        return Inputs(
            logits,
            *standardiser(logits, training),
            design=torch.cat([plain, hinges], dim=1),
            models=models,
            absent=absent,
            base=stacked(weights, logits, kinds, np.arange(logits.n_ads)),
            weights=weights[:, 1 : 1 + logits.n_models],
            prior=torch.from_numpy(prior_logits(labels[training]).clip(floor, ceiling)),
        )

    def _corrected(
        self, k: int, inputs: Inputs, labels: np.ndarray, training: np.ndarray, asked: np.ndarray
    ) -> tuple[np.ndarray, float]:
        """Probabilities of the asked ads, and how much of the correction they use."""
        import torch

        learns = self._learns(k, len(training))
        settings = {n: v for n, v in self.get_params().items() if n not in NOT_OF_NETWORKS}
        seed = np.random.SeedSequence([self.random_state, k]).generate_state(1)[0]
        layers = train(training, learns, inputs, labels, seed=int(seed), **settings)
        some = enough(np.arange(len(training)))
        seen = corrections(layers, self.seeds, inputs, training[some])
        base = inputs.base[training[some]]
        truth = torch.from_numpy(labels[training[some]].astype(np.float32))
        left = [torch.from_numpy(~learns[net, some]) for net in range(self.seeds)]
        alone = strength(
            torch.cat([base[of_net] for of_net in left]),
            torch.cat([seen[net, of_net] for net, of_net in enumerate(left)]),
            torch.cat([truth[of_net] for of_net in left]),
        )
        weight = min(1.0, alone * noise_averaged_out(base, seen))
        added = corrections(layers, self.seeds, inputs, asked).mean(dim=0)
        return torch.sigmoid(inputs.base[asked] + weight * added).numpy(), weight

    def _learns(self, k: int, n_rows: int) -> np.ndarray:
        """Which training ads of a fold each network learns from, bool (seeds, n_rows)."""
        order = np.random.default_rng([self.random_state, k]).permutation(n_rows)
        parts = np.array_split(order, max(PARTS, self.seeds))
        learns = np.ones((self.seeds, n_rows), dtype=bool)
        for net, part in enumerate(parts[: self.seeds]):
            learns[net, part] = False
        return learns


def models_and_absence(reads: np.ndarray, missing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort models into modalities by what they read.

    A model of which that is not known is a modality of its own, which no ad lacks.

    Parameters
    ----------
    reads : ndarray of shape (n_models, n_inputs), dtype bool
    missing : ndarray of shape (n_ads, n_inputs), dtype bool

    Returns
    -------
    models : ndarray of shape (n_modalities, n_models), dtype bool
        The models of each modality.
    absent : ndarray of shape (n_ads, n_modalities), dtype bool
        Where an ad lacks all that these models read.
    """
    known = np.asarray(reads.any(axis=1))
    alike = (reads[:, None] == reads).all(axis=2) & known & known[:, None]
    models = np.unique(alike | np.eye(len(reads), dtype=bool), axis=0)[::-1]
    read = reads[models.argmax(axis=1)]
    absent = np.stack([missing[:, its].all(axis=1) for its in read], axis=1)
    return models, absent & read.any(axis=1)


def strength(base: "Tensor", correction: "Tensor", labels: "Tensor") -> float:
    """Weight in [0, 1] of a correction with the lowest log loss, by Newton's method."""
    import torch

    best = 0.0
    for _ in range(10):
        probability = torch.sigmoid(base + best * correction)
        slope = (correction * (probability - labels)).sum(dtype=torch.float64)
        bend = (correction**2 * probability * (1 - probability)).sum(dtype=torch.float64)
        best = min(1.0, max(0.0, best - float(slope / (bend + 1e-6))))
    return best


def noise_averaged_out(base: "Tensor", outputs: "Tensor") -> float:
    """How much more of a mean of corrections than of one of them pays.

    To second order the best weight of a correction r is -<g, r> / <r, H r>, with g and H the
    gradient and the Hessian of the log loss at `base`. The mean keeps the numerator and loses the
    part of the denominator that the networks do not share. The ratio of denominators is measured
    on ads that the networks learned from; there they agree more than elsewhere, as a rule, so that
    it errs on the side of too small a correction.

    Parameters
    ----------
    base : Tensor of shape (n_ads, n_tags)
    outputs : Tensor of shape (n_nets, n_ads, n_tags)

    Returns
    -------
    float
        1 for networks that agree, up to n_nets for networks that have nothing in common.
    """
    import torch

    probability = torch.sigmoid(base)
    bend = probability * (1 - probability)
    one = (bend * outputs**2).sum(dtype=torch.float64) / len(outputs)
    mean = (bend * outputs.mean(dim=0) ** 2).sum(dtype=torch.float64)
    return float(one / mean) if mean > 0 else 1.0
