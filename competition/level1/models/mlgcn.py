"""ML-GCN: the classifiers of all tags come out of a graph network over the tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from competition.level1.components.network_model import NetworkModel
from competition.level1.components.pooled_arrays import PooledArrays
from competition.level1.registry import level1_model
from competition.utils.parameters import Count, NotNegative, Positive, Seed, Share

if TYPE_CHECKING:
    from optuna import Trial
    from torch import Tensor

SLOPE = 0.2  # of the leaky ReLU, as in the paper


@level1_model("mlgcn", kinds=("array",))
class MLGCN(NetworkModel):
    """Two graph convolutions over the tags make one linear classifier per tag (Chen et al. 2019).

    ``W = A h(A E W0) W1`` with the normalised label graph A, the label embeddings E and a leaky
    ReLU h (eq. 2); the logits of an ad are ``W x`` (eq. 4), trained on binary cross-entropy
    (eq. 5). The graph counts which tags occur together on the training ads, and on no others.

    The paper trains a ResNet with it; here x is the mean over time of the arrays, standardised,
    with a constant for the intercept. E is the identity, whose rows W0 turns into learned
    embeddings: a model knows its tags by their column, not by a name that has a word vector.

    Parameters
    ----------
    hidden : int
        Units of the first graph convolution.
    tau : float
        Least share of a tag's ads with another tag that makes an edge (eq. 7).
    p : float
        Weight of a tag's neighbours against its own (eq. 8).
    epochs : int
        Times each training ad is seen.
    batch_size : int
    learning_rate : float
        Of stochastic gradient descent with momentum 0.9; a tenth after two fifths of the epochs,
        and again after four fifths.
    weight_decay : float
    random_state : int
        Seeds initial weights and the order of the ads.
    n_jobs : int
        Threads. Same seed and same threads, same bytes on a CPU.
    device : str
        "auto", "cpu", "cuda" or "mps".

    References
    ----------
    Chen, Wei, Wang, Guo: Multi-label image recognition with graph convolutional networks, CVPR
    2019.
    """

    def __init__(
        self,
        hidden: Count = 1024,
        tau: Share = 0.4,
        p: Share = 0.2,
        epochs: Count = 100,
        batch_size: Count = 32,
        learning_rate: Positive = 0.01,
        weight_decay: NotNegative = 1e-4,
        random_state: Seed = 0,
        n_jobs: Count = 1,
        device: str = "auto",
    ) -> None:
        self.hidden = hidden
        self.tau = tau
        self.p = p
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
            "tau": trial.suggest_float("tau", 0.1, 0.9),
            "p": trial.suggest_float("p", 0, 0.8),
            "epochs": trial.suggest_int("epochs", 10, 100, log=True),
            "weight_decay": trial.suggest_float("weight_decay", 1e-5, 1e-2, log=True),
        }

    def _train(self, X: pd.DataFrame, Y: np.ndarray, device: str) -> None:
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits

        self.features_ = PooledArrays()
        features = _with_constant(self.features_.fit_transform(X)).to(device)
        labels = torch.from_numpy(Y.astype(np.float32)).to(device)
        self.graph_ = label_graph(Y, self.tau, self.p)
        graph = torch.from_numpy(self.graph_).to(device)
        sizes = ((Y.shape[1], self.hidden), (self.hidden, features.shape[1]))
        weights = [_uniform(shape).to(device).requires_grad_() for shape in sizes]
        optimizer = torch.optim.SGD(
            weights, lr=self.learning_rate, momentum=0.9, weight_decay=self.weight_decay
        )
        drops = [round(self.epochs * share) for share in (0.4, 0.8)]
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, drops)
        for _ in range(self.epochs):
            for ads in torch.randperm(len(labels)).split(self.batch_size):
                ads = ads.to(device)
                logits = features[ads] @ classifiers(graph, *weights).T
                loss = binary_cross_entropy_with_logits(logits, labels[ads])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            schedule.step()
        with torch.inference_mode():
            self.coef_ = classifiers(graph, *weights).cpu()

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        features = _with_constant(self.features_.transform(X))
        return (features @ self.coef_.T).sigmoid().numpy()


def label_graph(Y: np.ndarray, tau: float, p: float) -> np.ndarray:
    """Return the normalised matrix that passes information between tags.

    Of the ads with tag i, the share that has tag j as well makes an edge where it is at least
    `tau` (eq. 6, 7). The neighbours of i share the weight `p` evenly, i keeps 1 - p (eq. 8). Then
    ``D^-1/2 A D^-1/2`` with the row sums D, as Kipf and Welling (2017) normalise a graph.

    Parameters
    ----------
    Y : ndarray of shape (n_ads, n_tags)
        Labels of training ads.

    Returns
    -------
    ndarray of shape (n_tags, n_tags), dtype float32
    """
    labels = Y.astype(np.float64)
    together = labels.T @ labels
    edges = together / np.maximum(labels.sum(axis=0)[:, None], 1) >= tau
    np.fill_diagonal(edges, False)
    weighted = p * edges / np.maximum(edges.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(weighted, 1 - p)
    scale = weighted.sum(axis=1) ** -0.5
    return (scale[:, None] * weighted * scale).astype(np.float32)


def classifiers(graph: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Weights of one linear classifier per tag, (n_tags, n_features); eq. 2 twice, E = identity."""
    from torch.nn.functional import leaky_relu

    return graph @ (leaky_relu(graph @ first, SLOPE) @ second)


def _uniform(shape: tuple[int, int]) -> Tensor:
    """Initial weights of a graph convolution, as Kipf and Welling draw them."""
    import torch

    bound = shape[1] ** -0.5
    return torch.empty(shape).uniform_(-bound, bound)


def _with_constant(features: np.ndarray) -> Tensor:
    import torch

    return torch.from_numpy(np.column_stack([features, np.ones(len(features), np.float32)]))
