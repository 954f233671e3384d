"""Canonical correlated autoencoder: features and labels meet in one latent space."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from competition.execution.memory import AtOnce, pieces
from competition.features.encoders import checkpoint_files
from competition.level1.components.chosen_epoch import ChosenEpochModel
from competition.level1.components.network_model import NetworkModel
from competition.level1.components.trained_encoder import (
    FrozenArrays,
    Source,
    TrainedPictures,
    in_batches,
    parameter_groups,
)
from competition.level1.registry import level1_model
from competition.utils.parameters import Count, NotNegative, Positive, Seed

if TYPE_CHECKING:
    from optuna import Trial
    from torch import Tensor
    from torch.nn import Sequential

SHARPNESS = 5.0  # of the pairwise loss, as in the authors' program
ORTHONORMALITY = 0.5  # weight of the soft constraint of eq. 3, likewise


class _C2AE(NetworkModel, ChosenEpochModel):
    """Both forms of the model: on frozen features, and with the encoder that makes them."""

    alpha: float
    latent: float
    hidden: int
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float

    @abstractmethod
    def _source(self, X: pd.DataFrame) -> Source:
        """What makes the features of ads."""

    @staticmethod
    def search_space(trial: Trial) -> dict[str, Any]:
        """What `tune` tries."""
        return {
            "alpha": trial.suggest_float("alpha", 0.1, 10, log=True),
            "epochs": trial.suggest_int("epochs", 10, 100, log=True),
            "weight_decay": trial.suggest_float("weight_decay", 1e-5, 1e-1, log=True),
        }

    def _train(self, X: pd.DataFrame, Y: np.ndarray, device: str) -> None:
        import torch
        from torch import nn

        self.source_ = self._source(X)
        labels = torch.from_numpy(Y.astype(np.float32)).to(device)
        n_tags = labels.shape[1]
        latent = max(1, round(self.latent * n_tags))
        hidden = self.hidden
        fx = _layers([self.source_.dims, hidden, hidden, latent])
        fe = _layers([n_tags, hidden, latent])
        fd = _layers([latent, hidden, n_tags]).append(nn.Sigmoid())
        parts = [fx, fe, fd] if self.source_.encoder is None else [fx, fe, fd, self.source_.encoder]
        everything = nn.ModuleList(parts).to(device)
        self.network_ = nn.Sequential(fx, fd)
        own = [*fx.parameters(), *fe.parameters(), *fd.parameters()]
        optimizer = torch.optim.Adam(
            parameter_groups(self.source_, own, self.learning_rate),
            lr=self.learning_rate,
            weight_decay=self.weight_decay,
        )
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.98)
        n_batches = max(1, round(len(labels) / self.batch_size))

        def codes(inputs: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
            return fx(self.source_.features(inputs, device)), fe(own)

        def decoding(e: Tensor, own: Tensor) -> Tensor:
            return self.alpha * decoding_loss(fd(e), own)

        at_once, rng = AtOnce(-(-len(labels) // n_batches)), np.random.default_rng(0)
        chooser = self._chooser(self._predict_proba)
        for _ in range(self.epochs):
            everything.train()
            chosen = [ads.numpy() for ads in torch.randperm(len(labels)).chunk(n_batches)]
            for rows, inputs in self.source_.batches(X, chosen):
                batch = (inputs, labels[rows], device, rng)
                at_once.again(partial(gradients, optimizer.zero_grad, codes, decoding, *batch))
                optimizer.step()
            schedule.step()
            everything.eval()
            chooser.after_epoch(everything)
        self.epochs_ = [chooser.restore(everything)]

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        import torch

        probabilities = np.tile(self.prior_[self.learnable_], (len(X), 1))
        device = str(next(self.network_.parameters()).device)
        at_once = AtOnce(self.batch_size)

        def decoded(inputs: Tensor) -> Tensor:
            return self.network_(self.source_.features(inputs, device)).cpu()

        with torch.inference_mode():
            for rows, inputs in self.source_.batches(X, in_batches(len(X), self.batch_size)):
                found = [part for _, part in at_once.each(decoded, inputs)]
                probabilities[rows] = torch.cat(found).numpy()
        return probabilities


@level1_model("c2ae", kinds=("image",))
class C2AE(_C2AE):
    """Labels are embedded where an image can reach them; the image's encoder is trained with it.

    Three networks are trained together: Fx takes an image's features to the latent space, Fe labels
    to the same place, and Fd decodes labels from it, minimising ``Phi(Fx, Fe) + alpha Gamma(Fe,
    Fd)`` (Yeh et al. 2017, eq. 2). An ad to be predicted goes through the encoder, Fx and Fd. The
    features are the mean over the places of the encoder's last map. `c2ae_features` is the same on
    features that stay as they are. Where a batch does not fit into memory its parts are computed
    one after the other, to the same loss of the whole batch; only an encoder with batch
    normalisation (ResNet) then takes its statistics from the parts.

    The layers are those of the authors' program (512, 512 to the latent space; 512 and back for
    labels; leaky ReLU; a sigmoid at the end). The paper keeps the epoch that is best on validation
    ads, as `fit_validated` does; `fit` takes the last. The pairwise loss ranks the tags of an ad;
    the sigmoids are no calibrated probabilities. An image that cannot be read is not trained on;
    its ad gets the prior of each tag.

    Parameters
    ----------
    checkpoint : str
        Hub name or folder of a vision encoder, such as ``"microsoft/resnet-101"``.
    alpha : float
        Weight of the decoding loss.
    latent : float
        Latent dimensions, as a share of the number of tags.
    hidden : int
        Units of each hidden layer.
    epochs : int
        Times each training ad is seen.
    batch_size : int
    learning_rate : float
        Adam's, times 0.98 after each epoch, a tenth of it for the encoder.
    weight_decay : float
    random_state : int
        Seeds initial weights and the order of the ads.
    n_jobs : int
        Threads. Same seed and same threads, same bytes on a CPU.
    device : str
        "auto", "cpu", "cuda" or "mps".

    References
    ----------
    Yeh, Wu, Ko, Wang: Learning deep latent spaces for multi-label classification, AAAI 2017.
    """

    libraries = ("PIL", "torch", "transformers")

    def __init__(
        self,
        checkpoint: str,
        alpha: NotNegative = 0.5,
        latent: Positive = 0.8,
        hidden: Count = 512,
        epochs: Count = 20,
        batch_size: Count = 32,
        learning_rate: Positive = 1e-3,
        weight_decay: NotNegative = 1e-4,
        random_state: Seed = 0,
        n_jobs: Count = 1,
        device: str = "auto",
    ) -> None:
        self.checkpoint = checkpoint
        self.alpha = alpha
        self.latent = latent
        self.hidden = hidden
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.device = device

    def files(self) -> Sequence[Path]:
        """Files of a checkpoint in a local folder."""
        return checkpoint_files(self.checkpoint)

    def _source(self, X: pd.DataFrame) -> Source:
        return TrainedPictures(self.checkpoint, "mean", "c2ae")


@level1_model("c2ae_features", kinds=("array",))
class C2AEFeatures(_C2AE):
    """C2AE on frozen features: the means over time of the arrays, standardised. See `C2AE`.

    Parameters
    ----------
    alpha : float
        Weight of the decoding loss.
    latent : float
        Latent dimensions, as a share of the number of tags.
    hidden : int
        Units of each hidden layer.
    epochs : int
        Times each training ad is seen.
    batch_size : int
    learning_rate : float
        Adam's, times 0.98 after each epoch.
    weight_decay : float
    random_state : int
        Seeds initial weights and the order of the ads.
    n_jobs : int
        Threads. Same seed and same threads, same bytes on a CPU.
    device : str
        "auto", "cpu", "cuda" or "mps".

    References
    ----------
    Yeh, Wu, Ko, Wang: Learning deep latent spaces for multi-label classification, AAAI 2017.
    """

    def __init__(
        self,
        alpha: NotNegative = 0.5,
        latent: Positive = 0.8,
        hidden: Count = 512,
        epochs: Count = 50,
        batch_size: Count = 500,
        learning_rate: Positive = 1e-3,
        weight_decay: NotNegative = 1e-3,
        random_state: Seed = 0,
        n_jobs: Count = 1,
        device: str = "auto",
    ) -> None:
        self.alpha = alpha
        self.latent = latent
        self.hidden = hidden
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.device = device

    def _source(self, X: pd.DataFrame) -> Source:
        return FrozenArrays(X)


def embedding_loss(x: Tensor, e: Tensor) -> Tensor:
    """Phi: distance of embedded features and labels, each to have the identity as covariance.

    Eq. 3 of the paper, its constraint as a penalty. Sums over ads are means here, so that the
    result does not depend on the size of the batch.

    Parameters
    ----------
    x, e : Tensor of shape (n_ads, n_latent)
    """
    import torch

    identity = torch.eye(x.shape[1], device=x.device)
    apart = ((x - e) ** 2).sum() / len(x)
    unlike = sum(((one.T @ one / len(one) - identity) ** 2).sum() for one in (x, e))
    return apart + ORTHONORMALITY * unlike


def decoding_loss(outputs: Tensor, labels: Tensor) -> Tensor:
    """Gamma: how far an ad's own tags fail to come out above the others.

    Eq. 5 of the paper: the mean over pairs (p, q) of a true and another tag of
    ``exp(-s (output_p - output_q))``, which is the product of two means. An ad with no tag, or with
    all, has no pair and adds 0.

    Parameters
    ----------
    outputs, labels : Tensor of shape (n_ads, n_tags)
    """
    others = 1 - labels
    own = (labels * (-SHARPNESS * outputs).exp()).sum(dim=1) / labels.sum(dim=1).clamp(min=1)
    rest = (others * (SHARPNESS * outputs).exp()).sum(dim=1) / others.sum(dim=1).clamp(min=1)
    return (own * rest).mean()


def gradients(
    zero_grad: Callable[[], None],
    codes: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    decoding: Callable[[Tensor, Tensor], Tensor],
    inputs: Tensor,
    labels: Tensor,
    device: str,
    rng: np.random.Generator,
    most: int,
) -> None:
    """Leave the gradients of a batch's loss, networks called with at most so many ads at a time.

    The embedding loss has the covariance of all codes, which no part of a batch knows. Where not
    all ads fit, the codes are computed first, then this loss of all of them, and then each part
    once more, to pass its gradient on.

    Parameters
    ----------
    zero_grad : callable
    codes : callable
        From inputs and labels of some ads to their embeddings by Fx and by Fe.
    decoding : callable
        From embeddings by Fe and labels of some ads to the mean of their decoding loss.
    inputs, labels : Tensor
        Of the batch.
    device : str
    rng : Generator
        Seeds what an encoder drops, so that a part drops the same units both times.
    most : int
    """
    import torch

    from competition.level1.networks.training import seeded

    zero_grad()
    parts = pieces(np.arange(len(labels)), most)
    if len(parts) == 1:
        x, e = codes(inputs, labels)
        (embedding_loss(x, e) + decoding(e, labels)).backward()
        return
    seeds = rng.integers(2**31, size=len(parts)).tolist()

    def again(part: np.ndarray, seed: int) -> tuple[Tensor, Tensor]:
        with seeded(seed, device):
            return codes(inputs[part], labels[part])

    with torch.no_grad():
        found = zip(*map(again, parts, seeds), strict=True)
        whole = [torch.cat(embeddings).requires_grad_() for embeddings in found]
    passed_on = torch.autograd.grad(embedding_loss(*whole), whole)
    for part, seed in zip(parts, seeds, strict=True):
        x, e = again(part, seed)
        share = decoding(e, labels[part]) * (len(part) / len(labels))
        torch.autograd.backward([x, e, share], [*(one[part] for one in passed_on), None])


def _layers(sizes: list[int]) -> Sequential:
    """Dense layers with leaky ReLU between them."""
    from torch import nn

    layers = [nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]
    with_units = [unit for layer in layers for unit in (layer, nn.LeakyReLU())]
    return nn.Sequential(*with_units[:-1])
