"""The paper's meta-learner: three dense layers over all level-1 probabilities, nothing beneath."""

import itertools
import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from competition.execution.devices import torch_threads
from competition.execution.memory import AtOnce
from competition.level2.base import MetaLearner
from competition.level2.components.features import encode_metadata
from competition.level2.components.logits import BLOCK, enough
from competition.level2.data import Ads, StackData
from competition.level2.registry import meta_learner
from competition.utils.errors import ModelError
from competition.utils.odds import prior_logits
from competition.utils.parameters import Count, Dropout, NotNegative, Positive, Seed

if TYPE_CHECKING:
    from optuna import Trial
    from torch import Tensor


@meta_learner("paper_dnn")
class PaperDNN(MetaLearner):
    """A network of three dense layers over the concatenated probabilities and the metadata.

    The winning paper of the 2021 Tencent competition (section 3.3 and Figure 2): the out-of-fold
    probabilities of all level-1 models and all tags are concatenated, with extra features about the
    ad (time, height and width), and go through a 3-layer network with dropout to one sigmoid a tag.
    There is nothing beneath it: no linear stack, no mean. `dnn` is this package's own network.

    The paper gives neither widths nor rates. Here the layers have `hidden[0]`, `hidden[1]` and
    n_tags units, the hidden ones with ReLU (He et al. 2015 start them) and dropout; the output
    layer starts by predicting each tag's share. Probabilities enter as they are. Metadata are
    standardised by the training ads; where one is missing its median stands, and a flag says so.
    The loss is cross-entropy; Adam's rate falls to 0 along a cosine.

    The number of epochs is a setting. Nothing is chosen or stopped with any ad. It needs many
    ads: on made ones of 82 tags (`benchmarks.level2_dnn`) it lies below the mean of its models with
    300 training ads (GAP 0.637 against 0.654), and above it with 1,000 (0.686 in
    batches of 64, against 0.650).

    Parameters
    ----------
    hidden : tuple of int
        Widths of the two hidden layers.
    dropout : float
        Share of hidden units dropped in each training step.
    epochs : int
        Times the network sees each training ad.
    batch_size : int
    learning_rate : float
        Adam's, at the start.
    weight_decay : float
        Of the dense weights (AdamW).
    random_state : int
        Same number, same bytes.
    """

    libraries = ("torch",)

    def __init__(
        self,
        hidden: tuple[Count, ...] = (512, 256),
        dropout: Dropout = 0.5,
        epochs: Count = 40,
        batch_size: Count = 32,
        learning_rate: Positive = 1e-3,
        weight_decay: NotNegative = 0.0,
        random_state: Seed = 0,
    ) -> None:
        self.hidden = hidden
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state

    @staticmethod
    def search_space(trial: "Trial") -> dict[str, Any]:
        """What `tune` tries."""
        return {
            "dropout": trial.suggest_float("dropout", 0, 0.8),
            "epochs": trial.suggest_int("epochs", 5, 200, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
            "weight_decay": trial.suggest_float("weight_decay", 0, 0.1),
        }

    def _check(self) -> None:
        if len(self.hidden) != 2 or min(self.hidden) < 1:
            raise ModelError(
                f"paper_dnn has two hidden layers below its output layer, so hidden needs two "
                f"widths, got {tuple(self.hidden)}."
            )
        for name in ("epochs", "batch_size", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ModelError(f"paper_dnn needs {name} above 0, got {getattr(self, name)}.")
        if not 0 <= self.dropout < 1:
            raise ModelError(f"paper_dnn needs dropout in [0, 1), got {self.dropout}.")

    def _fit(self, data: StackData) -> None:
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits

        self._check()
        some = enough(len(data.ads))
        self.metadata_ = encode_metadata(
            data.ads.metadata.iloc[some], data.ads.missing[some][:, :0]
        )
        metadata = self._encoded(data.ads)
        rng = np.random.default_rng(self.random_state)
        n_ads, n_models, n_tags = data.ads.shape
        sizes = [n_models * n_tags + metadata.shape[1], *self.hidden, n_tags]
        steps = self.epochs * math.ceil(n_ads / self.batch_size)
        with torch_threads(1):  # the bytes do not depend on how many there are
            layers = _new_layers(sizes, rng)
            with torch.no_grad():
                layers[-1][1].copy_(torch.from_numpy(prior_logits(data.labels)))
            optimizer = torch.optim.AdamW(
                itertools.chain(*layers),
                lr=self.learning_rate,
                weight_decay=self.weight_decay,
                fused=True,
            )
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

            def loss(ads: np.ndarray, some: np.ndarray) -> "Tensor":
                ads = ads[some]
                inputs = _concatenated(data.ads.read(ads), metadata[ads])
                truth = torch.from_numpy(data.labels[ads].astype(np.float32))
                logits = _forward(layers, inputs, self.dropout, rng)
                return binary_cross_entropy_with_logits(logits, truth)

            at_once = AtOnce(self.batch_size)
            for _ in range(self.epochs):
                order = rng.permutation(n_ads)
                for start in range(0, n_ads, self.batch_size):
                    ads = order[start : start + self.batch_size]
                    at_once.gradients(optimizer.zero_grad, partial(loss, ads), len(ads))
                    optimizer.step()
                    schedule.step()
        self.layers_ = [(w.detach().numpy(), b.detach().numpy()) for w, b in layers]

    def _encoded(self, ads: Ads) -> np.ndarray:
        """Metadata as columns of numbers, and a flag for what is missing: (n_ads, n_columns)."""
        plain, _ = self.metadata_.design(ads.metadata, ads.missing[:, :0])
        return plain

    def _predict_proba(self, ads: Ads) -> np.ndarray:
        import torch

        layers = [(torch.from_numpy(w), torch.from_numpy(b)) for w, b in self.layers_]
        metadata = self._encoded(ads)
        found = np.empty((len(ads), self.n_tags_), dtype=np.float32)

        def predicted(rows: np.ndarray) -> np.ndarray:
            inputs = _concatenated(ads.read(rows), metadata[rows])
            return torch.sigmoid(_forward(layers, inputs)).numpy()

        with torch_threads(1), torch.no_grad():
            for rows, part in AtOnce(BLOCK).each(predicted, np.arange(len(ads))):
                found[rows] = part
        return found


def _new_layers(sizes: list[int], rng: np.random.Generator) -> "list[tuple[Tensor, Tensor]]":
    """He-initialised layers (He et al. 2015, eq. 10) and an output layer of zeros."""
    import torch

    layers = []
    for i, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        weight = rng.standard_normal((n_in, n_out), dtype=np.float32)
        weight *= math.sqrt(2 / n_in) if i < len(sizes) - 2 else 0
        bias = torch.zeros(n_out, requires_grad=True)
        layers.append((torch.from_numpy(weight).requires_grad_(), bias))
    return layers


def _concatenated(probabilities: np.ndarray, metadata: np.ndarray) -> "Tensor":
    """Probabilities of all models and tags, then the metadata: (n_ads, width)."""
    import torch

    flat = probabilities.reshape(len(probabilities), -1)
    return torch.from_numpy(np.hstack([flat, metadata]).astype(np.float32, copy=False))


def _forward(
    layers: "list[tuple[Tensor, Tensor]]",
    units: "Tensor",
    dropout: float = 0.0,
    rng: np.random.Generator | None = None,
) -> "Tensor":
    """Logits of the tags, (n_ads, n_tags); hidden units drop out where there is a generator."""
    import torch

    (weight, bias), *others = layers
    units = torch.addmm(bias, units, weight)
    for weight, bias in others:
        units = units.relu()
        if rng is not None and dropout > 0:
            kept = rng.random(tuple(units.shape), dtype=np.float32) >= dropout
            units = units * torch.from_numpy(kept) / (1 - dropout)
        units = torch.addmm(bias, units, weight)
    return units
