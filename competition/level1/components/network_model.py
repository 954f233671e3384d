"""What the models share that train a network in a loop of their own."""

from abc import abstractmethod
from typing import ClassVar

import numpy as np
import pandas as pd

from competition.execution.devices import choose_device
from competition.level1.base import Level1Model


class NetworkModel(Level1Model):
    """A model whose training draws random numbers from PyTorch.

    A subclass writes a constructor, which stores these parameters, and `_train`.

    Parameters
    ----------
    random_state : int
        Seeds initial weights and the order of the ads.
    n_jobs : int
        Threads. Same seed and same threads, same bytes on a CPU.
    device : str
        "auto", "cpu", "cuda" or "mps".
    """

    libraries: ClassVar[tuple[str, ...]] = ("torch",)

    random_state: int
    n_jobs: int
    device: str

    def _fit(self, X: pd.DataFrame, Y: np.ndarray) -> None:
        from competition.execution.devices import torch_threads
        from competition.level1.networks.training import seeded

        device = choose_device(self.device)
        with torch_threads(self.n_jobs), seeded(self.random_state, device):
            self._train(X, Y, device)

    @abstractmethod
    def _train(self, X: pd.DataFrame, Y: np.ndarray, device: str) -> None:
        """Learn on a device; the seed and the number of threads are set."""
