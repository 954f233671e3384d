"""Networks that keep the epoch which does best on validation ads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd

from competition.level1.base import Level1Model

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

# From the probabilities of validation ads, (n_ads, n_tags), to a score of each tag; NaN has none.
TagScores = Callable[[np.ndarray], np.ndarray]


class ChosenEpochModel(Level1Model):
    """A network that can keep the best of its epochs.

    `fit` trains for the number of epochs that is set, and no ad is held back to stop by. Who has
    validation ads to spare calls `fit_validated` instead: the network takes the same steps and is
    left as it was after the epoch that scores highest on them.

    Attributes
    ----------
    epochs_ : list of int
        The epochs that were kept, one per network that was trained, counted from 1.
    """

    _validation: tuple[pd.DataFrame, TagScores] | None = None

    def fit_validated(
        self, X: pd.DataFrame, Y: np.ndarray, validation: pd.DataFrame, scores: TagScores
    ) -> Self:
        """Learn from training ads, and keep the epoch that is best on validation ads.

        Parameters
        ----------
        X, Y
            As of `fit`.
        validation : DataFrame
            Inputs of the validation ads.
        scores : callable
            Given their probabilities, (n_ads, n_tags), returns a score of each tag, (n_tags,), the
            higher the better, NaN where it has none.
        """
        self._validation = (validation, scores)
        try:
            return self.fit(X, Y)
        finally:
            del self._validation

    def _chooser(self, probabilities: Callable[[pd.DataFrame], np.ndarray]) -> EpochChooser:
        """Return what chooses among the epochs of one network.

        Parameters
        ----------
        probabilities : callable
            What the network gives some ads at this moment: (n_ads, n_learnable).
        """
        return EpochChooser(self, self._validation, probabilities)


class EpochChooser:
    """Scores a network after each epoch and remembers its best state.

    Parameters
    ----------
    model : ChosenEpochModel
    validation : (DataFrame, callable) or None
        None: the last epoch is kept.
    probabilities : callable
    """

    def __init__(
        self,
        model: ChosenEpochModel,
        validation: tuple[pd.DataFrame, TagScores] | None,
        probabilities: Callable[[pd.DataFrame], np.ndarray],
    ) -> None:
        self.model = model
        self.validation = validation
        self.probabilities = probabilities
        self.epoch = self.kept = 0
        self.best: float = -np.inf
        self.state: dict[str, Tensor] = {}

    def after_epoch(self, network: Module, tasks: Sequence[np.ndarray] | None = None) -> None:
        """Score the network; call it once after every epoch.

        Parameters
        ----------
        network : Module
        tasks : sequence of ndarray of int, or None
            The learnable tags of each task of this network, whose means count alike; None: all
            tags are one task.
        """
        self.epoch += 1
        if self.validation is None:
            self.kept = self.epoch
            return
        ads, scores = self.validation
        learnable = np.flatnonzero(self.model.learnable_)
        found = np.tile(self.model.prior_, (len(ads), 1))
        found[:, learnable] = self.probabilities(ads)
        of_tag = scores(found)[learnable]
        score = float(np.mean([_mean(of_tag[task]) for task in tasks or [np.arange(len(of_tag))]]))
        if score > self.best:
            self.best, self.kept = score, self.epoch
            self.state = {
                name: value.detach().cpu().clone() for name, value in network.state_dict().items()
            }

    def restore(self, network: Module) -> int:
        """Give the network back its best state; return the epoch, counted from 1."""
        if self.state:
            network.load_state_dict(self.state)
        return self.kept


def _mean(scores: np.ndarray) -> float:
    """Mean over the tags that have a score; 0 where none has."""
    known = scores[~np.isnan(scores)]
    return float(known.mean()) if len(known) else 0.0
