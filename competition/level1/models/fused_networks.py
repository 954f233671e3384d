"""The networks of several models fused in one: the like-for-like rivals of a stack of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from competition.level1.base import Level1Model
from competition.level1.components.encoder_model import EncoderModel
from competition.level1.components.network_model import NetworkModel
from competition.level1.networks import Fusing
from competition.level1.registry import get_model, level1_model
from competition.utils.errors import ModelError
from competition.utils.parameters import Count, Dropout, NotNegative, Positive, Seed


@level1_model("fused_networks", kinds=("text", "array"))
class FusedNetworks(NetworkModel):
    """The networks of several models, their encodings fused, trained as one.

    Where a stack joins the predictions of `frames`, `sound`, `bert` and the like, this joins what
    their networks see before the output layer, as the rivals in Table 4 of the video paper do: see
    `competition.level1.networks.fused.FusedNetwork`. An ad that has none of the branches' inputs
    gets the prior of each tag.

    Parameters
    ----------
    branches : dict of str to dict
        By a name of its own, each with ``model``, a registered model that is a network over texts
        or arrays, ``inputs``, the columns that it reads, and its ``parameters``. A branch keeps its
        model's learning rate; epochs, batches and decay are those below.
    how : {"concat", "sum", "max", "attention"}
    width : int
        Units of each projected branch and of the dense layer.
    dropout : float
        Share of units dropped in each training step.
    epochs : int
        Times the network sees each training ad. Fixed: no ads are set aside to stop early with.
    batch_size : int
    learning_rate : float
        Peak of AdamW's for the layers that fuse.
    weight_decay : float
    random_state : int
    n_jobs : int
        Threads on a CPU. Same seed and same threads, same bytes.
    device : str
    """

    libraries = ("torch", "transformers")

    def __init__(
        self,
        branches: dict[str, dict[str, Any]],
        how: Fusing = "concat",
        width: Count = 128,
        dropout: Dropout = 0.3,
        epochs: Count = 10,
        batch_size: Count = 32,
        learning_rate: Positive = 2e-3,
        weight_decay: NotNegative = 0.05,
        random_state: Seed = 0,
        n_jobs: Count = 1,
        device: str = "auto",
    ) -> None:
        self.branches = branches
        self.how = how
        self.width = width
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.device = device

    def files(self) -> Sequence[Path]:
        """Files of the branches' checkpoints."""
        return [file for branch in self._new_branches().values() for file in branch.files()]

    def _train(self, X: pd.DataFrame, Y: np.ndarray, device: str) -> None:
        from competition.level1.networks.fused import FusedNetwork, Together
        from competition.level1.networks.training import Schedule, train

        self.branches_ = self._new_branches()
        for name, branch in self.branches_.items():
            branch.prepare(X[self._inputs(name, X)])
        there = self._present(X)
        some = np.flatnonzero(there.any(axis=0))  # a branch that no training ad has is left out
        self.branches_ = {name: self.branches_[name] for name in np.array([*self.branches_])[some]}
        there, known = there[:, some], np.asarray(there.any(axis=1))
        if not known.any():
            return
        X, Y, there = X.loc[known], Y[known], there[known]
        networks = []
        for place, (name, branch) in enumerate(self.branches_.items()):
            has = there[:, place]
            networks.append(branch.new_network(X.loc[has, self._inputs(name, X)], Y[has]))
        self.network_ = FusedNetwork(networks, self.how, self.width, self.dropout, Y)
        rates = [
            (network, branch.rate)
            for network, branch in zip(networks, self.branches_.values(), strict=True)
        ]
        schedule = Schedule(self.epochs, self.batch_size, self.learning_rate, self.weight_decay)
        train(self.network_, Together(self._batches(X), there), Y, schedule, device, rates)

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        from competition.execution.devices import choose_device, torch_threads
        from competition.level1.networks.fused import Together
        from competition.level1.networks.training import predict

        probabilities = np.tile(self.prior_[self.learnable_], (len(X), 1))
        there = self._present(X)
        known = np.asarray(there.any(axis=1))
        if known.any():
            together = Together(self._batches(X.loc[known]), there[known])
            device = choose_device(self.device)
            with torch_threads(self.n_jobs):
                probabilities[known] = predict(self.network_, together, self.batch_size, device)
        return probabilities

    def _new_branches(self) -> dict[str, EncoderModel]:
        return {name: _branch(name, chosen) for name, chosen in self.branches.items()}

    def _inputs(self, name: str, X: pd.DataFrame) -> list[str]:
        inputs = list(self.branches[name].get("inputs", ()))
        lacking = [column for column in inputs if column not in X]
        if lacking or not inputs:
            raise ModelError(
                f"branches.{name}.inputs: {', '.join(lacking) or 'none'} of the columns that the "
                f"model reads, which are {', '.join(map(str, X.columns))}. Name some of these."
            )
        return inputs

    def _present(self, X: pd.DataFrame) -> np.ndarray:
        """Tell which ads have what each branch reads; (n_ads, n_branches), bool."""
        there = [one.present(X[self._inputs(name, X)]) for name, one in self.branches_.items()]
        return np.array(there, dtype=bool).reshape(len(self.branches_), len(X)).T

    def _batches(self, X: pd.DataFrame) -> list[Any]:
        return [one.batches(X[self._inputs(name, X)]) for name, one in self.branches_.items()]


def _branch(name: str, chosen: dict[str, Any]) -> EncoderModel:
    """Make an unfitted model whose network is a branch."""
    model: Level1Model = get_model(str(chosen.get("model", name))).make(
        **chosen.get("parameters", {})
    )
    if not isinstance(model, EncoderModel):
        raise ModelError(
            f"branches.{name}: the model {chosen.get('model', name)} is no network over texts or "
            "arrays. Name frames, sound, bert or text_net."
        )
    return model
