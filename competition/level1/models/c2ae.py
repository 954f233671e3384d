"""Canonical correlated autoencoder: features and labels meet in one latent space."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from competition.level1.components.network_model import NetworkModel
from competition.level1.components.pooled_arrays import PooledArrays
from competition.level1.registry import level1_model
from competition.utils.parameters import Count, NotNegative, Positive, Seed

if TYPE_CHECKING:
    from optuna import Trial
    from torch import Tensor
    from torch.nn import Sequential

SHARPNESS = 5.0  # of the pairwise loss, as in the authors' program
ORTHONORMALITY = 0.5  # weight of the soft constraint of eq. 3, likewise


@level1_model("c2ae", kinds=("array",))
class C2AE(NetworkModel):
    """Labels are embedded where features can reach them, and decoded from there.

    Three networks are trained together: Fx takes features to the latent space, Fe labels to the
    same place, and Fd decodes labels from it, minimising ``Phi(Fx, Fe) + alpha Gamma(Fe, Fd)``
    (Yeh et al. 2017, eq. 2). An ad to be predicted goes through Fx and Fd.

    Features are the means over time of the arrays, standardised. The layers are those of the
    authors' program (512, 512 to the latent space; 512 and back for labels; leaky ReLU; a sigmoid
    at the end). It keeps the epoch that is best on validation ads; here the number of epochs is
    fixed. Its pairwise loss ranks the tags of an ad; the sigmoids are no calibrated probabilities.

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

        self.features_ = PooledArrays()
        features = torch.from_numpy(self.features_.fit_transform(X)).to(device)
        labels = torch.from_numpy(Y.astype(np.float32)).to(device)
        n_tags = labels.shape[1]
        latent = max(1, round(self.latent * n_tags))
        hidden = self.hidden
        fx = _layers([features.shape[1], hidden, hidden, latent]).to(device)
        fe = _layers([n_tags, hidden, latent]).to(device)
        fd = _layers([latent, hidden, n_tags]).append(torch.nn.Sigmoid()).to(device)
        optimizer = torch.optim.Adam(
            [*fx.parameters(), *fe.parameters(), *fd.parameters()],
            lr=self.learning_rate,
            weight_decay=self.weight_decay,
        )
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.98)
        n_batches = max(1, round(len(labels) / self.batch_size))
        for _ in range(self.epochs):
            for ads in torch.randperm(len(labels)).chunk(n_batches):
                ads = ads.to(device)
                codes = fe(labels[ads])
                loss = embedding_loss(fx(features[ads]), codes)
                loss = loss + self.alpha * decoding_loss(fd(codes), labels[ads])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            schedule.step()
        self.network_ = torch.nn.Sequential(fx, fd).eval().cpu()

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        import torch

        with torch.inference_mode():
            return self.network_(torch.from_numpy(self.features_.transform(X))).numpy()


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


def _layers(sizes: list[int]) -> Sequential:
    """Dense layers with leaky ReLU between them."""
    from torch import nn

    layers = [nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]
    with_units = [unit for layer in layers for unit in (layer, nn.LeakyReLU())]
    return nn.Sequential(*with_units[:-1])
