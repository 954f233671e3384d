"""Fusion of features: the rivals that the winning video paper holds its stack against.

One network sees the features of all modalities at once and is trained end to end, where the stack
has models for each modality and joins their predictions.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, Self, get_args

import numpy as np
import pandas as pd

from competition.execution.memory import AtOnce
from competition.level1.base import Level1Model
from competition.level1.components.modalities import Modalities
from competition.level1.networks import Fusing
from competition.level1.registry import level1_model
from competition.text.terms import TermsSpec
from competition.utils.errors import ModelError
from competition.utils.parameters import Count, Dropout, NotNegative, Positive, Seed

if TYPE_CHECKING:
    from optuna import Trial
    from torch import Generator, Tensor

    Weights = dict[str, Tensor]

TERMS = TermsSpec("word", (1, 2))
WARM_UP = 20
ROWS_AT_ONCE = 4_096


@level1_model("fusion", kinds=("text", "metadata", "array"))
class Fusion(Level1Model):
    """One network over the features of all modalities, fused as in Table 4 of the video paper.

    Each modality's features (`Modalities`) pass a dense layer of their own, all of one width. The
    layers' outputs are fused and pass a dense layer and an output layer:

    - ``"concat"``: they are put side by side;
    - ``"sum"``, ``"max"``: unit by unit their sum, their maximum;
    - ``"attention"``: their mean, weighted for each ad by additive attention (Bahdanau et al. 2015,
      eq. 6, without a query): the softmax of ``v . tanh(A h)`` over the modalities that it has.

    A missing modality adds nothing. An ad without any modality gets the prior of each tag. The mean
    of `networks` networks is what is predicted.

    Parameters
    ----------
    how : {"concat", "sum", "max", "attention"}
    width : int
        Units of every hidden layer.
    dropout : float
        Share of hidden units dropped in each training step.
    epochs : int
        Times that a network sees each training ad. Fixed: no ads are set aside to stop early with.
    batch_size : int
        Ads in a step.
    learning_rate : float
        Peak of AdamW's learning rate, which then falls to 0 along a cosine.
    weight_decay : float
    networks : int
    directions : int
        Most directions that the terms of texts are reduced to.
    device : str
        Where the networks are trained.
    random_state : int
    """

    libraries = ("torch",)

    def __init__(
        self,
        how: Fusing = "concat",
        width: Count = 128,
        dropout: Dropout = 0.3,
        epochs: Count = 30,
        batch_size: Count = 32,
        learning_rate: Positive = 2e-3,
        weight_decay: NotNegative = 0.1,
        networks: Count = 3,
        directions: Count = 256,
        device: str = "auto",
        random_state: Seed = 0,
    ) -> None:
        self.how = how
        self.width = width
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.networks = networks
        self.directions = directions
        self.device = device
        self.random_state = random_state

    @staticmethod
    def search_space(trial: Trial) -> dict[str, Any]:
        """What `tune` tries; how to fuse is a choice between models, not a value."""
        return {
            "width": trial.suggest_int("width", 32, 512, log=True),
            "dropout": trial.suggest_float("dropout", 0, 0.7),
            "epochs": trial.suggest_int("epochs", 5, 100, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True),
            "weight_decay": trial.suggest_float("weight_decay", 1e-3, 1, log=True),
        }

    @property
    def text_terms(self) -> TermsSpec:
        """What is counted in texts."""
        return TERMS

    def fit_soft(self, X: pd.DataFrame, P: np.ndarray) -> Self:
        """Learn what another model says, in place of labels (Hinton et al. 2015, temperature 1).

        Parameters
        ----------
        X : DataFrame of shape (n_ads, n_columns)
            As of `fit`.
        P : ndarray of shape (n_ads, n_tags), dtype float32
            Probabilities, the target of the cross-entropy.
        """
        self.columns_ = list(X.columns)
        self.prior_ = P.mean(axis=0, dtype=np.float64).astype(np.float32)
        self.learnable_ = np.ones(P.shape[1], dtype=bool)
        self._fit(X, P)
        return self

    def _fit(self, X: pd.DataFrame, Y: np.ndarray) -> None:
        if self.how not in get_args(Fusing):
            raise ModelError(
                f"Fusion knows no how = {self.how!r}: choose one of {', '.join(get_args(Fusing))}."
            )
        import torch

        from competition.execution.devices import choose_device

        self.modalities_ = Modalities(TERMS, self.directions, self.random_state)
        features, present = self.modalities_.fit_transform(X)
        rows = np.flatnonzero(present.any(axis=1))
        self.weights_ = []
        if not len(rows):
            return
        device = choose_device(self.device)
        inputs = [torch.from_numpy(columns[rows]).to(device) for columns in features]
        there = torch.from_numpy(present[rows].astype(np.float32)).to(device)
        labels = torch.from_numpy(Y[rows].astype(np.float32)).to(device)
        generator = torch.Generator().manual_seed(self.random_state)
        for _ in range(self.networks):
            weights = self._train(inputs, there, labels, generator)
            self.weights_.append({name: value.cpu() for name, value in weights.items()})

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        import torch

        features, present = self.modalities_.transform(X)
        prior = self.prior_[self.learnable_]
        probabilities = np.tile(prior, (len(X), 1))
        rows = np.flatnonzero(present.any(axis=1)) if self.weights_ else np.zeros(0, dtype=int)

        def predicted(chunk: np.ndarray) -> np.ndarray:
            inputs = [torch.from_numpy(columns[chunk]) for columns in features]
            there = torch.from_numpy(present[chunk].astype(np.float32))
            logits = [self._logits(weights, inputs, there) for weights in self.weights_]
            return torch.stack(logits).sigmoid().mean(dim=0).numpy()

        for chunk, found in AtOnce(ROWS_AT_ONCE).each(predicted, rows):
            probabilities[chunk] = found
        return probabilities

    def _train(
        self, inputs: list[Tensor], there: Tensor, labels: Tensor, generator: Generator
    ) -> Weights:
        import torch
        from torch.nn import functional

        n_ads = len(labels)
        weights = self._new_weights([x.shape[1] for x in inputs], labels, generator)
        steps_an_epoch = math.ceil(n_ads / self.batch_size)
        steps = self.epochs * steps_an_epoch
        dense = [value for value in weights.values() if value.ndim == 2]
        biases = [value for value in weights.values() if value.ndim == 1]
        optimizer = torch.optim.AdamW(
            [
                {"params": dense, "weight_decay": self.weight_decay},
                {"params": biases, "weight_decay": 0.0},
            ],
            lr=self.learning_rate,
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer,
            lambda s: min(1.0, (s + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * s / steps)),
        )

        def loss(ads: Tensor, some: np.ndarray) -> Tensor:
            ads = ads[some]
            logits = self._logits(weights, [x[ads] for x in inputs], there[ads], generator)
            return functional.binary_cross_entropy_with_logits(logits, labels[ads])

        at_once = AtOnce(self.batch_size)
        for _ in range(self.epochs):
            for ads in (
                torch.randperm(n_ads, generator=generator).to(labels.device).split(self.batch_size)
            ):
                at_once.gradients(optimizer.zero_grad, partial(loss, ads), len(ads))
                optimizer.step()
                schedule.step()
        return {name: value.detach() for name, value in weights.items()}

    def _new_weights(self, dims: list[int], labels: Tensor, generator: Generator) -> Weights:
        """He-initialised layers (He et al. 2015, eq. 10); the output begins with the priors."""
        import torch

        shapes = {f"in_{m}": (dim, self.width) for m, dim in enumerate(dims)}
        if self.how == "attention":
            shapes |= {"attention": (self.width, self.width), "score": (self.width, 1)}
        fused = self.width * (len(dims) if self.how == "concat" else 1)
        shapes |= {"hidden": (fused, self.width), "out": (self.width, labels.shape[1])}
        weights = {}
        for name, (n_in, n_out) in shapes.items():
            weight = torch.zeros(n_in, n_out)
            if name != "out":
                weight.normal_(std=math.sqrt(2 / max(n_in, 1)), generator=generator)
            weights[name], weights[f"{name}_bias"] = weight, torch.zeros(n_out)
        positives = labels.sum(dim=0).cpu() + 0.5
        weights["out_bias"] = torch.log(positives / (len(labels) + 1 - positives))
        return {name: w.to(labels.device).requires_grad_() for name, w in weights.items()}

    def _logits(
        self,
        weights: Weights,
        inputs: list[Tensor],
        there: Tensor,
        generator: Generator | None = None,
    ) -> Tensor:
        """Logits of all tags; with a generator, hidden units are dropped."""
        import torch

        def dropped(units: Tensor) -> Tensor:
            if generator is None:
                return units
            kept = torch.rand(units.shape, generator=generator) >= self.dropout
            return units * kept.to(units.device) / (1 - self.dropout)

        def dense(name: str, units: Tensor) -> Tensor:
            return units @ weights[name] + weights[f"{name}_bias"]

        projected = [torch.relu(dense(f"in_{m}", x)) for m, x in enumerate(inputs)]
        # (n_ads, n_modalities, width); never negative, so that 0 is neutral for the maximum too.
        units = dropped(torch.stack(projected, dim=1)) * there[:, :, None]
        if self.how == "concat":
            fused = units.flatten(1)
        elif self.how == "sum":
            fused = units.sum(dim=1)
        elif self.how == "max":
            fused = units.amax(dim=1)
        else:
            scores = dense("score", torch.tanh(dense("attention", units)))[:, :, 0]
            shares = torch.softmax(scores.masked_fill(there == 0, -torch.inf), dim=1)
            fused = (shares[:, :, None] * units).sum(dim=1)
        return dense("out", dropped(torch.relu(dense("hidden", fused))))
