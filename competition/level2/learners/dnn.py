"""The paper's meta-learner: small deep networks that correct a linear stack.

The winning paper of the 2021 Tencent competition (section 3.3) puts a 3-layer network with dropout
on the concatenated out-of-fold probabilities and extra features. Alone, such a network overfits on
a few hundred ads; so here it predicts what a linear stack leaves over, and only as much of its
correction is used as pays on ads it was not trained with.
"""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import clone

from competition.execution.devices import torch_threads
from competition.execution.memory import AtOnce
from competition.level2.base import MetaLearner
from competition.level2.components.corrections import best_strength
from competition.level2.components.features import encode_metadata
from competition.level2.components.linear import linear_stack, principal_directions, stacked
from competition.level2.components.logits import BLOCK, Logits, blocks, enough, to_logits
from competition.level2.components.networks import (
    Inputs,
    corrections,
    forward,
    seen,
    standardiser,
    train,
)
from competition.level2.data import Ads, StackData
from competition.level2.registry import meta_learner
from competition.utils.errors import ModelError
from competition.utils.odds import prior_logits
from competition.utils.parameters import (
    Count,
    Dropout,
    NotNegative,
    Positive,
    Seed,
    Whole,
)

if TYPE_CHECKING:
    from optuna import Trial
    from torch import Tensor

    from competition.level2.components.networks import Layers

# A network leaves out one of this many shares of the training ads; of more if there are more
# networks, for each has its own.
SHARES = 5

NOT_OF_NETWORKS = ("seeds", "context", "random_state")


@meta_learner("dnn")
class DNN(MetaLearner):
    """Networks with three dense layers and dropout on top of a shrunken linear stack.

    1. A logistic regression per tag on the level-1 logits, the metadata about the ad and the main
       directions of the mean logits of all tags. Its weights are drawn towards those of one
       regression pooled over all tags, as strongly as the evidence says (MacKay's fixed point).
    2. `seeds` networks on the concatenated level-1 logits and the metadata. Their output is added
       to the logits of step 1 and starts at 0. Each leaves out other training ads.
    3. The networks' mean output is weighed by a number in [0, 1]: the one with the lowest log
       loss on the ads that they left out, times what the mean gains over one network.

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
        Number of networks.
    random_state : int or list of int
        Same number, same bytes.

    Attributes
    ----------
    strength_ : float
        Weight of the networks' mean output.
    """

    libraries = ("torch",)

    def __init__(
        self,
        hidden: tuple[Count, ...] = (64, 64),
        dropout: Dropout = 0.3,
        modality_dropout: Dropout = 0.2,
        epochs: Positive = 10,
        min_steps: Count = 100,
        max_steps: Count = 5000,
        batch_size: Count = 128,
        learning_rate: Positive = 2e-3,
        weight_decay: NotNegative = 0.01,
        context: Whole = 12,
        seeds: Count = 5,
        random_state: Seed | list[Seed] = 0,
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

    def for_fold(self, place: int) -> Self:
        """Return an unfitted copy whose networks start and drop out otherwise in each fold."""
        seeds = np.atleast_1d(self.random_state).tolist()
        return clone(self).set_params(random_state=[*seeds, place])

    @property
    def correction(self) -> float:
        """Weight in [0, 1] of the networks' mean output."""
        return self.strength_

    def _check(self, data: StackData) -> None:
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
        if len(data.labels) < 2:
            raise ModelError(
                f"DNN needs two training ads or more for each fold, got {len(data.labels)}. Give "
                "it more ads."
            )

    def _fit(self, data: StackData) -> None:
        self._check(data)
        with torch_threads(1):  # the bytes do not depend on how many there are
            inputs = self._inputs(data)
            learns = self._learns(len(data.labels))
            settings = {n: v for n, v in self.get_params().items() if n not in NOT_OF_NETWORKS}
            seed = np.random.SeedSequence(self.random_state).generate_state(1)[0]
            layers = train(learns, inputs, data.labels, seed=int(seed), **settings)
            self.strength_ = self._strength(layers, learns, inputs, data.labels)
        self.layers_ = [(weight.numpy(), bias.numpy()) for weight, bias in layers]

    def _inputs(self, data: StackData) -> Inputs:
        """Fit the linear stack; return what the networks learn from."""
        import torch

        logits, some = Logits(data.ads), enough(len(data.ads))
        known = data.ads.metadata.iloc[some], data.ads.missing[some]
        self.metadata_ = encode_metadata(*known)
        mean = logits.mean() if self.context else np.zeros((logits.n_ads, 0), np.float32)
        self.context_ = principal_directions(mean[some], self.context)
        kinds = self._design(data.ads, mean)
        self.weights_ = linear_stack(logits, kinds, data.labels)
        self.modalities_, self.inputs_ = models_and_inputs(data.reads)
        scaling = standardiser(logits)
        self.scaling_ = tuple(one.numpy() for one in scaling)
        base = torch.empty(data.labels.shape)
        for block in blocks(logits.n_ads):
            of_block = torch.from_numpy(logits.of_ads(np.arange(block.start, block.stop)))
            base[block] = stacked(self.weights_, of_block, [kind[block] for kind in kinds])
        floor, ceiling = to_logits(np.array([0, 1], dtype=np.float32))
        return Inputs(
            logits,
            *scaling,
            design=torch.cat(kinds[:2], dim=1),
            models=torch.from_numpy(self.modalities_.astype(np.float32)),
            absent=self._absent(data.ads),
            base=base,
            weights=torch.from_numpy(self.weights_[:, 1 : 1 + logits.n_models]),
            prior=torch.from_numpy(prior_logits(data.labels).clip(floor, ceiling)),
        )

    def _design(self, ads: Ads, mean: np.ndarray) -> "list[Tensor]":
        """Metadata, their hinges, and directions of the mean logits: (n_ads, n_columns) each."""
        import torch

        metadata = self.metadata_.design(ads.metadata, ads.missing)
        return [torch.from_numpy(one) for one in (*metadata, self.context_.scores(mean))]

    def _absent(self, ads: Ads) -> "Tensor":
        import torch

        return torch.from_numpy(absence(self.inputs_, ads.missing).astype(np.float32))

    def _learns(self, n_ads: int) -> np.ndarray:
        """Which training ads each network learns from, bool (seeds, n_ads)."""
        order = np.random.default_rng(self.random_state).permutation(n_ads)
        learns = np.ones((self.seeds, n_ads), dtype=bool)
        shares = np.array_split(order, max(SHARES, self.seeds))
        for net, share in enumerate(shares[: self.seeds]):
            learns[net, share] = False
        return learns

    def _strength(
        self, layers: "Layers", learns: np.ndarray, inputs: Inputs, labels: np.ndarray
    ) -> float:
        """How much of the networks' mean output pays on ads that they did not learn from."""
        some = enough(len(labels))
        added = corrections(layers, self.seeds, inputs, some)
        base, truth = inputs.base[some], labels[some].astype(np.float32)
        left = [~learns[net, some] for net in range(self.seeds)]
        alone = best_strength(
            np.concatenate([base.numpy()[of_net] for of_net in left]),
            np.concatenate([added[net].numpy()[of_net] for net, of_net in enumerate(left)]),
            np.concatenate([truth[of_net] for of_net in left]),
        )
        return min(1.0, alone * noise_averaged_out(base, added))

    def _predict_proba(self, ads: Ads) -> np.ndarray:
        import torch

        layers = [(torch.from_numpy(w), torch.from_numpy(b)) for w, b in self.layers_]
        mean, scale = (torch.from_numpy(one) for one in self.scaling_)
        found = np.empty((len(ads), self.n_tags_), dtype=np.float32)

        def predicted(rows: np.ndarray) -> np.ndarray:
            part = ads.take(rows)
            logits = to_logits(part.probabilities)
            n_context = len(self.context_.directions)
            kinds = self._design(part, logits.mean(axis=1)[:, :n_context])
            base = stacked(self.weights_, torch.from_numpy(logits), kinds)
            design = torch.cat(kinds[:2], dim=1)
            units = seen(torch.from_numpy(logits), mean, scale, design, self._absent(part))
            added = forward(layers, self.seeds, units)[-1].mean(dim=0)
            return torch.sigmoid(base + self.strength_ * added).numpy()

        with torch_threads(1):
            for rows, of_rows in AtOnce(BLOCK).each(predicted, np.arange(len(ads))):
                found[rows] = of_rows
        return found


def models_and_inputs(reads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort models into modalities by what they read.

    A model of which that is not known is a modality of its own, which reads nothing.

    Parameters
    ----------
    reads : ndarray of shape (n_models, n_inputs), dtype bool

    Returns
    -------
    models : ndarray of shape (n_modalities, n_models), dtype bool
        The models of each modality.
    inputs : ndarray of shape (n_modalities, n_inputs), dtype bool
        What these models read.
    """
    known = np.asarray(reads.any(axis=1))
    alike = (reads[:, None] == reads).all(axis=2) & known & known[:, None]
    models = np.unique(alike | np.eye(len(reads), dtype=bool), axis=0)[::-1]
    return models, reads[models.argmax(axis=1)]


def absence(inputs: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Say where an ad lacks all that a modality reads: (n_ads, n_modalities), bool.

    Parameters
    ----------
    inputs : ndarray of shape (n_modalities, n_inputs), dtype bool
    missing : ndarray of shape (n_ads, n_inputs), dtype bool
    """
    absent = np.stack([missing[:, its].all(axis=1) for its in inputs], axis=1)
    return np.asarray(absent & inputs.any(axis=1))


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
