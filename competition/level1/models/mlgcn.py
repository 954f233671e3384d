"""ML-GCN: the classifiers of all tags come out of a graph network over the tags."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from competition.execution.memory import AtOnce
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
from competition.level1.components.word_vectors import embed, load_vectors
from competition.level1.registry import level1_model
from competition.text.words import tokenize
from competition.utils.errors import ModelError
from competition.utils.parameters import Count, NotNegative, Positive, Seed, Share

if TYPE_CHECKING:
    from optuna import Trial
    from torch import Tensor

SLOPE = 0.2  # of the leaky ReLU, as in the paper


class _MLGCN(NetworkModel, ChosenEpochModel):
    """Both forms of the model: on frozen features, and with the encoder that makes them."""

    hidden: int
    tau: float
    p: float
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    intercept: bool  # whether a constant joins the features

    @abstractmethod
    def _source(self, X: pd.DataFrame) -> Source:
        """What makes the features of ads."""

    @abstractmethod
    def _embeddings(self, n_tags: int) -> np.ndarray:
        """Label embeddings E, (n_tags, dims), float32."""

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
        from torch import nn
        from torch.nn.functional import binary_cross_entropy_with_logits

        embeddings = torch.from_numpy(self._embeddings(Y.shape[1])).to(device)
        self.source_ = self._source(X)
        labels = torch.from_numpy(Y.astype(np.float32)).to(device)
        self.graph_ = label_graph(Y, self.tau, self.p)
        graph = torch.from_numpy(self.graph_).to(device)
        n_features = self.source_.dims + self.intercept
        sizes = ((embeddings.shape[1], self.hidden), (self.hidden, n_features))
        own = nn.ParameterList([nn.Parameter(_uniform(shape)) for shape in sizes])
        encoder = self.source_.encoder
        everything = nn.ModuleList([own] if encoder is None else [own, encoder]).to(device)
        optimizer = torch.optim.SGD(
            parameter_groups(self.source_, own, self.learning_rate),
            lr=self.learning_rate,
            momentum=0.9,
            weight_decay=self.weight_decay,
        )
        drops = [round(self.epochs * share) for share in (0.4, 0.8)]
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, drops)

        def loss(inputs: Tensor, targets: Tensor, some: np.ndarray) -> Tensor:
            features = self._with_constant(self.source_.features(inputs[some], device))
            logits = features @ classifiers(graph, embeddings, *own).T
            return binary_cross_entropy_with_logits(logits, targets[some])

        at_once = AtOnce(self.batch_size)
        chooser = self._chooser(self._predict_proba)
        for _ in range(self.epochs):
            everything.train()
            chosen = [a.numpy() for a in torch.randperm(len(labels)).split(self.batch_size)]
            for rows, inputs in self.source_.batches(X, chosen):
                of_batch = partial(loss, inputs, labels[rows])
                at_once.gradients(optimizer.zero_grad, of_batch, len(rows))
                optimizer.step()
            schedule.step()
            everything.eval()
            with torch.inference_mode():
                self.coef_ = classifiers(graph, embeddings, *own)
            chooser.after_epoch(everything)
        self.epochs_ = [chooser.restore(everything)]
        with torch.inference_mode():
            self.coef_ = classifiers(graph, embeddings, *own)

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        import torch

        probabilities = np.tile(self.prior_[self.learnable_], (len(X), 1))
        device, at_once = str(self.coef_.device), AtOnce(self.batch_size)

        def predicted(inputs: Tensor) -> Tensor:
            features = self._with_constant(self.source_.features(inputs, device))
            return (features @ self.coef_.T).sigmoid().cpu()

        with torch.inference_mode():
            for rows, inputs in self.source_.batches(X, in_batches(len(X), self.batch_size)):
                found = [part for _, part in at_once.each(predicted, inputs)]
                probabilities[rows] = torch.cat(found).numpy()
        return probabilities

    def _with_constant(self, features: Tensor) -> Tensor:
        import torch

        constant = features.new_ones(len(features), int(self.intercept))
        return torch.cat([features, constant], dim=1)


@level1_model("mlgcn", kinds=("image",))
class MLGCN(_MLGCN):
    """Two graph convolutions over the tags make one linear classifier per tag (Chen et al. 2019).

    ``W = A h(A E W0) W1`` with the normalised label graph A, the label embeddings E and a leaky
    ReLU h (eq. 2); the logits of an ad are ``W x`` (eq. 4), trained on binary cross-entropy
    (eq. 5). The graph counts which tags occur together on the training ads, and on no others.

    As in the paper, x is the maximum over the places of the encoder's last map, the encoder is
    trained with the graph, and E are word vectors of the tags' names, the mean of a name's words.
    An image that cannot be read is not trained on; its ad gets the prior of each tag.
    `mlgcn_features` is the same on features that stay as they are. Where a batch does not fit into
    memory its parts are computed one after the other; an encoder with batch normalisation
    (ResNet) then takes its statistics from the parts.

    Parameters
    ----------
    checkpoint : str
        Hub name or folder of a vision encoder; the paper takes a ResNet-101.
    vectors : str
        File of word vectors: GloVe's text, as the paper has, or any that `hmam` takes. Without it,
        or without `tag_names`, E is the identity.
    tag_names : tuple of str, optional
        The name of each tag.
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
        Of stochastic gradient descent with momentum 0.9, a tenth of it for the encoder; both
        fall to a tenth after two fifths of the epochs, and again after four fifths.
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

    libraries = ("PIL", "torch", "transformers", "gensim")
    intercept = False

    def __init__(
        self,
        checkpoint: str,
        vectors: str = "",
        tag_names: tuple[str, ...] | None = None,
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
        self.checkpoint = checkpoint
        self.vectors = vectors
        self.tag_names = tag_names
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

    def files(self) -> Sequence[Path]:
        """Files of a checkpoint in a local folder, and that of the word vectors."""
        vectors = [Path(self.vectors)] if self.vectors else []
        return [*checkpoint_files(self.checkpoint), *vectors]

    def _source(self, X: pd.DataFrame) -> Source:
        return TrainedPictures(self.checkpoint, "max", "mlgcn")

    def _embeddings(self, n_tags: int) -> np.ndarray:
        if not self.vectors or self.tag_names is None:
            return np.eye(n_tags, dtype=np.float32)
        if len(self.tag_names) != len(self.learnable_):
            raise ModelError(
                f"mlgcn got {len(self.tag_names)} names of {len(self.learnable_)} tags: give the "
                "name of each tag, or none."
            )
        names = [
            n for n, learnable in zip(self.tag_names, self.learnable_, strict=True) if learnable
        ]
        return name_vectors(names, self.vectors)


@level1_model("mlgcn_features", kinds=("array",))
class MLGCNFeatures(_MLGCN):
    """ML-GCN on frozen features: the means over time of the arrays, standardised. See `MLGCN`.

    A constant joins the features for the intercept. E is the identity, whose rows W0 turns into
    learned embeddings.

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
        Of stochastic gradient descent with momentum 0.9; a tenth after two
        fifths of the epochs, and again after four fifths.
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

    intercept = True

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

    def _source(self, X: pd.DataFrame) -> Source:
        return FrozenArrays(X)

    def _embeddings(self, n_tags: int) -> np.ndarray:
        return np.eye(n_tags, dtype=np.float32)


def name_vectors(names: Sequence[str], vectors: str) -> np.ndarray:
    """Mean vector of the words of each name, (n_names, dims), float32; zeros where none is known.

    Parameters
    ----------
    names : sequence of str
    vectors : str
        File of word vectors.
    """
    table = load_vectors(vectors)
    means = np.zeros((len(names), table.vector_size), dtype=np.float32)
    for row, name in enumerate(names):
        found = embed(table, tokenize(name, "word"))
        known = found[~np.isnan(found).any(axis=1)]
        if len(known):
            means[row] = known.mean(axis=0)
    return means


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


def classifiers(graph: Tensor, embeddings: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Weights of one linear classifier per tag, (n_tags, n_features); eq. 2 twice."""
    from torch.nn.functional import leaky_relu

    return graph @ (leaky_relu(graph @ embeddings @ first, SLOPE) @ second)


def _uniform(shape: tuple[int, int]) -> Tensor:
    """Initial weights of a graph convolution, as Kipf and Welling draw them."""
    import torch

    bound = shape[1] ** -0.5
    return torch.empty(shape).uniform_(-bound, bound)
