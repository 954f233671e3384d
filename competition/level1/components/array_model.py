"""What `frames` and `sound` share: networks over (time, dims) arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd

from competition.level1.components.encoder_model import EncoderModel
from competition.level1.networks import Pooling
from competition.utils.errors import ModelError
from competition.utils.parameters import Count, Dropout, NotNegative, Positive, Seed

if TYPE_CHECKING:
    from optuna import Trial

    from competition.level1.networks.arrays import ArrayNetwork, Arrays


class ArrayModel(EncoderModel):
    """A network with one branch per array column, pooled over time.

    Rows are standardised by the mean and spread of the training ads' rows, dimension by dimension.
    An ad that has none of the arrays gets the prior of each tag.

    Parameters
    ----------
    pooling : {"mean", "attention", "nextvlad"}
    hidden : int
        Units of each branch, and of the layer that joins them; for NeXtVLAD a multiple of 4.
    rows_seen : int
        Neighbouring rows of an array that its branch sees at a time; an odd number.
    clusters : int
        Of NeXtVLAD.
    dropout : float
        Share of units dropped in each training step.
    epochs : int
        Times the network sees each training ad. Fixed: no ads are set aside to stop early with.
    batch_size : int
    learning_rate : float
        Peak of AdamW's learning rate.
    weight_decay : float
    random_state : int
    n_jobs : int
        Threads on a CPU. Same seed and same threads, same bytes.
    device : str
    """

    libraries = ("torch",)

    def __init__(
        self,
        pooling: Pooling = "mean",
        hidden: Count = 64,
        rows_seen: Count = 1,
        clusters: Count = 8,
        dropout: Dropout = 0.3,
        epochs: Count = 20,
        batch_size: Count = 32,
        learning_rate: Positive = 2e-3,
        weight_decay: NotNegative = 0.05,
        random_state: Seed = 0,
        n_jobs: Count = 1,
        device: str = "auto",
    ) -> None:
        self.pooling = pooling
        self.hidden = hidden
        self.rows_seen = rows_seen
        self.clusters = clusters
        self.dropout = dropout
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
            "pooling": trial.suggest_categorical("pooling", ["mean", "attention", "nextvlad"]),
            "hidden": trial.suggest_categorical("hidden", [32, 64, 128, 256]),
            "dropout": trial.suggest_float("dropout", 0, 0.7),
            "epochs": trial.suggest_int("epochs", 5, 60, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True),
            "weight_decay": trial.suggest_float("weight_decay", 1e-3, 1, log=True),
        }

    @property
    def rate(self) -> float:
        """Peak of AdamW's learning rate."""
        return self.learning_rate

    def prepare(self, X: pd.DataFrame) -> None:
        """Check the parameters; learn the mean and spread of each column's rows."""
        self._check()
        self.scalers_ = {name: _scaler(X[name]) for name in X if X[name].notna().any()}

    def present(self, X: pd.DataFrame) -> np.ndarray:
        """Tell which ads have any array of a column that training ads have."""
        return np.asarray(X[list(self.scalers_)].notna().any(axis=1), dtype=bool)

    def new_network(self, X: pd.DataFrame, Y: np.ndarray) -> ArrayNetwork:
        """Make an untrained network."""
        from competition.level1.networks.arrays import ArrayNetwork, Branch

        branches = [
            Branch(
                mean,
                scale,
                self.hidden,
                self.rows_seen,
                self.pooling,
                self.clusters,
                self.dropout,
            )
            for mean, scale in self.scalers_.values()
        ]
        return ArrayNetwork(branches, self.hidden, self.dropout, Y)

    def batches(self, X: pd.DataFrame) -> Arrays:
        """Turn arrays into padded batches."""
        from competition.level1.networks.arrays import Arrays

        for name, (mean, _) in self.scalers_.items():
            for ad, cell in X[name].items():
                if cell is not None and cell.shape[1:] != mean.shape:
                    raise ModelError(
                        f"Ad {ad!r}, column {name!r}: an array of shape {cell.shape} where all "
                        f"others have {len(mean)} dimensions. Extract the feature anew."
                    )
        dims = [len(mean) for mean, _ in self.scalers_.values()]
        return Arrays(X[list(self.scalers_)], dims)

    def _check(self) -> None:
        """Refuse parameters from which no network can be built."""
        if self.pooling not in get_args(Pooling):
            raise ModelError(
                f"pooling is {self.pooling!r}; choose one of {', '.join(get_args(Pooling))}."
            )
        if self.rows_seen < 1 or self.rows_seen % 2 == 0:
            raise ModelError(f"rows_seen is {self.rows_seen}; it must be an odd number, 1 or more.")
        if self.pooling == "nextvlad" and self.hidden % 4:
            raise ModelError(
                f"hidden is {self.hidden}; NeXtVLAD splits units into groups and needs a multiple "
                "of 4."
            )
        for name in ("hidden", "clusters", "epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ModelError(f"{name} is {getattr(self, name)}; it must be 1 or more.")


def _scaler(column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread of each dimension over the rows of all arrays: two (dims,), float32.

    One array at a time: the arrays of a large dataset lie on disk and stay there.
    """
    cells = column.dropna()
    n_rows = sum(len(cell) for cell in cells)
    mean = sum(cell.sum(axis=0, dtype=np.float64) for cell in cells) / n_rows
    squares = sum(np.square(cell - mean).sum(axis=0) for cell in cells)
    spread = np.sqrt(squares / n_rows)
    return mean.astype(np.float32), np.where(spread < 1e-6, 1, spread).astype(np.float32)
