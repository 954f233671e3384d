"""HMAM: what an ad shows, the objects in it and the words on it, weighed for each task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field

from competition.execution.devices import choose_device
from competition.level1.components.chosen_epoch import ChosenEpochModel
from competition.level1.models.hmam.inputs import Ads, Reader
from competition.level1.registry import level1_model
from competition.utils.errors import ModelError
from competition.utils.parameters import Count, Dropout, NotNegative, Positive, Seed

if TYPE_CHECKING:
    from optuna import Trial

    from competition.level1.models.hmam.network import Answer, Network

ONE_TASK = "tags"


class TaskTags(NamedTuple):
    """A task: its name, its columns among the learnable tags, and the weight of its loss."""

    name: str
    columns: np.ndarray
    weight: float


@dataclass(frozen=True, eq=False)
class AdAttention:
    """What a task attends to in one ad.

    Attributes
    ----------
    objects : ndarray of shape (n_objects,), dtype float32
        Weights of the objects, in the order of the rows of their array; they sum to 1.
    words : tuple of str
    word_weights : ndarray of shape (n_words,), dtype float32
        Weights of the words; they sum to 1.
    modalities : ndarray of shape (3,), dtype float32
        Scores of image, objects and words, of any sign; the same for every ad.
    """

    objects: np.ndarray
    words: tuple[str, ...]
    word_weights: np.ndarray
    modalities: np.ndarray


@level1_model("hmam", kinds=("text", "array"))
class Hmam(ChosenEpochModel):
    """Hierarchical multimodal attention network, one task per dimension of tags.

    Columns of text give the words. Of the array columns the one named by `objects` gives the
    objects, one per row; the others give the image, each as the mean of its rows, side by side.
    All are standardised on the training ads. What an ad lacks is a vector of zeros; an ad that
    lacks everything gets the prior of each tag. `fit` trains for `epochs`, none held back to stop
    by; `fit_validated` keeps the best of them, as the paper's schedule of many epochs wants it.

    The paper's settings are the defaults, but for the epochs: six are where film posters stop
    gaining, and a stack has no ad to choose among more; the benchmark's profile trains 45. Where
    the paper says nothing, encoder and decoder have one layer, output biases start at the log odds
    of each tag, and `hidden`, `dropout` and `batch_size` are common values.

    Parameters
    ----------
    dim : int
        Dims of the representation of an image, an object and a word; even, since a word's is made
        of two directions of ``dim / 2``.
    hidden : int
        Width of a head's hidden layer (equation 14).
    dropout : float
        Share of units dropped between layers.
    alpha : float
        Weight of the loss of the first task (equation 18).
    beta : float
        Weight of the loss of each other task.
    learning_rate : float
        Of Adamax.
    weight_decay : float
        Of Adamax.
    drop_every : int
        Epochs after which the learning rate is multiplied by 0.1, time and again.
    epochs : int
    batch_size : int
    objects : str
        Column of the objects' features.
    max_words : int
        Most words of each text; what follows is left out.
    vectors : str
        File of word vectors: a FastText model (.bin), or words with their numbers as text. Without
        it, FastText vectors of 300 are trained on the words of the training ads.
    autoencoder : bool
        Ablation: without it, objects are represented by their features as they are.
    attention : bool
        Ablation: without it, objects and words are averaged, and modalities put side by side.
    multitask : bool
        Ablation: without it, each task has a network of its own.
    dimensions : tuple of str, optional
        The dimension of each tag. Tags of one dimension are one task; tasks are in the order of
        their first tags. Without it there is one task.
    random_state : int
    n_jobs : int
        Threads. Same seed and same threads, same bytes on a CPU.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.

    References
    ----------
    Look, Read and Feel: Benchmarking Ads Understanding with Multimodal Multitask Learning, 2020.
    """

    libraries = ("torch", "gensim")

    def __init__(
        self,
        dim: Annotated[int, Field(ge=2, multiple_of=2)] = 1024,
        hidden: Count = 512,
        dropout: Dropout = 0.5,
        alpha: NotNegative = 200.0,
        beta: NotNegative = 50.0,
        learning_rate: Positive = 1e-3,
        weight_decay: NotNegative = 1e-4,
        drop_every: Count = 15,
        epochs: Count = 6,
        batch_size: Count = 32,
        objects: str = "regions",
        max_words: Count = 32,
        vectors: str = "",
        autoencoder: bool = True,
        attention: bool = True,
        multitask: bool = True,
        dimensions: tuple[str, ...] | None = None,
        random_state: Seed = 0,
        n_jobs: Count = 1,
        device: str = "auto",
    ) -> None:
        self.dim = dim
        self.hidden = hidden
        self.dropout = dropout
        self.alpha = alpha
        self.beta = beta
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.drop_every = drop_every
        self.epochs = epochs
        self.batch_size = batch_size
        self.objects = objects
        self.max_words = max_words
        self.vectors = vectors
        self.autoencoder = autoencoder
        self.attention = attention
        self.multitask = multitask
        self.dimensions = dimensions
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.device = device

    @staticmethod
    def search_space(trial: Trial) -> dict[str, Any]:
        """What `tune` tries: what the paper varies, and the number of epochs."""
        return {
            "dim": trial.suggest_categorical("dim", [256, 512, 1024]),
            "dropout": trial.suggest_float("dropout", 0, 0.8),
            "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
            "epochs": trial.suggest_int("epochs", 3, 20),
        }

    def attention_weights(self, X: pd.DataFrame) -> dict[str, list[AdAttention]]:
        """What each task attends to in each ad, by the task's name.

        Raises
        ------
        ModelError
            If the model is not fitted, or had no ad with any input to learn from.
        """
        if not getattr(self, "networks_", None):
            raise ModelError("There is no attention: hmam must be fitted on ads that have inputs.")
        ads = self.reader_.read(X)
        words = [tuple(ads.vocabulary[i] for i in ad) for ad in ads.words]
        found: dict[str, list[AdAttention]] = {}
        for tasks, network in self.networks_:
            for rows, answers in self._answers(network, ads):
                for task, answer in zip(tasks, answers, strict=True):
                    found.setdefault(task.name, []).extend(
                        AdAttention(
                            answer.objects[i, : len(ads.objects[row])].numpy(),
                            words[row],
                            answer.words[i, : len(words[row])].numpy(),
                            answer.modalities.numpy(),
                        )
                        for i, row in enumerate(rows)
                    )
        return found

    def files(self) -> Sequence[Path]:
        """Return the file of word vectors, if one is named: what `fit` learns depends on it."""
        return [Path(self.vectors)] if self.vectors else []

    def _fit(self, X: pd.DataFrame, Y: np.ndarray) -> None:
        self._check()
        self.networks_: list[tuple[list[TaskTags], Network]] = []
        self.epochs_: list[int] = []
        tasks = self._tasks()
        self.reader_ = Reader(self.objects, self.max_words, self.vectors, self.random_state).fit(X)
        ads = self.reader_.read(X)
        if ads.known.any():
            together = [tasks] if self.multitask else [[task] for task in tasks]
            self.networks_ = [(some, self._trained(some, ads, Y)) for some in together]

    def _trained(self, tasks: list[TaskTags], ads: Ads, Y: np.ndarray) -> Network:
        import torch

        from competition.execution.devices import torch_threads
        from competition.level1.models.hmam.network import Network
        from competition.level1.models.hmam.training import train
        from competition.level1.networks.training import seeded

        device = choose_device(self.device)
        prior = torch.from_numpy(Y.mean(axis=0, dtype=np.float64))
        with torch_threads(self.n_jobs), seeded(self.random_state, device):
            network = Network(
                self.reader_.sizes_,
                [torch.logit(prior[task.columns]) for task in tasks],
                self.dim,
                self.hidden,
                self.dropout,
                self.autoencoder,
                self.attention,
            )
            chooser = self._chooser(lambda X: self._probabilities(X, [(tasks, network)]))
            columns = [task.columns for task in tasks]
            train(
                network,
                self.reader_,
                ads,
                [Y[:, task.columns] for task in tasks],
                [task.weight for task in tasks],
                np.flatnonzero(ads.known),
                device,
                epochs=self.epochs,
                batch_size=self.batch_size,
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                drop_every=self.drop_every,
                after_epoch=lambda: chooser.after_epoch(network, columns),
            )
        self.epochs_.append(chooser.restore(network))
        return network

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        return self._probabilities(X, self.networks_)

    def _probabilities(
        self, X: pd.DataFrame, networks: list[tuple[list[TaskTags], Network]]
    ) -> np.ndarray:
        """What some networks say of their tasks; the prior of every other tag."""
        probabilities = np.tile(self.prior_[self.learnable_], (len(X), 1))
        ads = self.reader_.read(X)
        for tasks, network in networks:
            for rows, answers in self._answers(network, ads):
                for task, answer in zip(tasks, answers, strict=True):
                    probabilities[np.ix_(rows, task.columns)] = answer.logits.sigmoid().numpy()
        probabilities[~ads.known] = self.prior_[self.learnable_]
        return probabilities

    def _answers(self, network: Network, ads: Ads) -> Iterator[tuple[np.ndarray, list[Answer]]]:
        from competition.execution.devices import torch_threads
        from competition.level1.models.hmam.training import answers

        device = choose_device(self.device)
        with torch_threads(self.n_jobs):
            yield from answers(network, self.reader_, ads, device)

    def _tasks(self) -> list[TaskTags]:
        """Tasks with a learnable tag; the first keeps the weight alpha whichever of them it is."""
        if self.dimensions is None:
            dimensions = [ONE_TASK] * len(self.learnable_)
        else:
            dimensions = list(self.dimensions)
        if len(dimensions) != len(self.learnable_):
            raise ModelError(
                f"hmam got {len(dimensions)} dimensions for {len(self.learnable_)} tags: give the "
                "dimension of each tag, or none."
            )
        learnable = np.array(dimensions)[self.learnable_]
        tasks = []
        for number, name in enumerate(dict.fromkeys(dimensions)):
            columns = np.flatnonzero(learnable == name)
            if len(columns):
                tasks.append(TaskTags(name, columns, self.beta if number else self.alpha))
        return tasks

    def _check(self) -> None:
        for name in ("dim", "hidden", "learning_rate", "drop_every", "epochs", "batch_size"):
            if getattr(self, name) <= 0:
                raise ModelError(f"hmam needs {name} above 0, got {getattr(self, name)}.")
        for name in ("alpha", "beta", "weight_decay", "max_words"):
            if getattr(self, name) < 0:
                raise ModelError(f"hmam needs {name} of 0 or more, got {getattr(self, name)}.")
        if self.dim % 2:
            raise ModelError(f"hmam needs an even dim, got {self.dim}: half of it for each way.")
        if not 0 <= self.dropout < 1:
            raise ModelError(f"hmam needs dropout in [0, 1), got {self.dropout}.")
