"""Networks that encode what they read of an ad: alone, or as branches of one network."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from competition.execution.devices import choose_device
from competition.level1.base import Level1Model

if TYPE_CHECKING:
    from competition.level1.networks.arrays import ArrayNetwork
    from competition.level1.networks.texts import TextNetwork
    from competition.level1.networks.training import Encoder


class EncoderModel(Level1Model):
    """A network that encodes an ad, with an output layer on top; trained as a whole.

    An ad that has nothing of what it reads gets the prior of each tag.

    A subclass writes a constructor, which stores these parameters and its own, and the four hooks.

    Parameters
    ----------
    epochs, batch_size, accumulate : int
    weight_decay : float
    random_state, n_jobs : int
    device : str
    """

    epochs: int
    batch_size: int
    weight_decay: float
    random_state: int
    n_jobs: int
    device: str
    accumulate: int = 1

    @property
    @abstractmethod
    def rate(self) -> float:
        """Peak of AdamW's learning rate."""

    @abstractmethod
    def prepare(self, X: pd.DataFrame) -> None:
        """Check the parameters, and learn what the other hooks need to know of training ads."""

    @abstractmethod
    def present(self, X: pd.DataFrame) -> np.ndarray:
        """Tell which ads have anything to read; (n_ads,), bool."""

    @abstractmethod
    def new_network(self, X: pd.DataFrame, Y: np.ndarray) -> ArrayNetwork | TextNetwork:
        """Make an untrained network for training ads, all of which have something to read."""

    @abstractmethod
    def batches(self, X: pd.DataFrame) -> Encoder:
        """Turn ads into what the network takes; ads with nothing to read among them or not."""

    def _fit(self, X: pd.DataFrame, Y: np.ndarray) -> None:
        from competition.execution.devices import torch_threads
        from competition.level1.networks.training import Schedule, seeded, train

        self.prepare(X)
        known = self.present(X)
        self.trained_ = bool(known.any())
        if not self.trained_:
            return
        X, Y = X[known], Y[known]
        device = choose_device(self.device)
        schedule = Schedule(
            self.epochs, self.batch_size, self.rate, self.weight_decay, self.accumulate
        )
        with torch_threads(self.n_jobs), seeded(self.random_state, device):
            self.network_ = self.new_network(X, Y)
            train(self.network_, self.batches(X), Y, schedule, device)

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        from competition.execution.devices import torch_threads
        from competition.level1.networks.training import predict

        probabilities = np.tile(self.prior_[self.learnable_], (len(X), 1))
        known = self.present(X)
        if self.trained_ and known.any():
            device, batches = choose_device(self.device), self.batches(X[known])
            with torch_threads(self.n_jobs):
                probabilities[known] = predict(self.network_, batches, self.batch_size, device)
        return probabilities
