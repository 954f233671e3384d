"""What a meta-learner may know: ads with their level-1 predictions, labels, folds and the task."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from competition.evaluation.leaks import StandingOut
from competition.level2.components.logits import blocks
from competition.utils.errors import ModelError


class Ads:
    """What is known of some ads, but for their labels.

    Parameters
    ----------
    probabilities : ndarray of shape (n_ads, n_models, n_tags), dtype float32
        Level-1 predictions, each between 0 and 1. Of an array that is mapped from a file,
        `take` copies nothing: rows are read from the file where they are used.
    metadata : DataFrame of shape (n_ads, n_metadata)
        Numbers or categories, NA where missing.
    missing : ndarray of shape (n_ads, n_inputs), dtype bool
        True where an ad lacks an input.
    """

    def __init__(
        self, probabilities: np.ndarray, metadata: pd.DataFrame, missing: np.ndarray
    ) -> None:
        self._array = probabilities
        self._rows: np.ndarray | None = None  # of the array; None for all
        self.metadata = metadata
        self.missing = missing

    def __len__(self) -> int:
        return len(self.missing)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of ads, of level-1 models and of tags."""
        return (len(self), *self._array.shape[1:])

    @property
    def probabilities(self) -> np.ndarray:
        """Level-1 predictions of all ads, (n_ads, n_models, n_tags), float32.

        Of ads in a file they are read, all at once, with every use: see `read` and `read_tag`.
        """
        return self._array if self._rows is None else self._array[self._rows]

    def read(self, rows: np.ndarray | slice) -> np.ndarray:
        """Level-1 predictions of the ads at these positions, (n_rows, n_models, n_tags)."""
        return self._array[rows if self._rows is None else self._rows[rows]]

    def read_tag(self, tag: int, rows: np.ndarray) -> np.ndarray:
        """Level-1 predictions of one tag for the ads at these positions, (n_rows, n_models)."""
        return self._array[rows if self._rows is None else self._rows[rows], :, tag]

    def take(self, rows: np.ndarray) -> "Ads":
        """Return the ads at these positions, an array of int."""
        metadata, missing = self.metadata.iloc[rows], self.missing[rows]
        if not isinstance(self._array, np.memmap):
            return Ads(self._array[rows], metadata, missing)
        taken = Ads(self._array, metadata, missing)
        taken._rows = rows if self._rows is None else self._rows[rows]
        return taken

    def of_models(self, positions: Sequence[int], room: np.ndarray | None = None) -> "Ads":
        """Return the same ads as the level-1 models at these positions alone predict them.

        Their predictions are written to `room`, an array of their shape, if there is one.
        """
        shape = (len(self), len(positions), self.shape[2])
        shown = np.empty(shape, dtype=np.float32) if room is None else room
        for block in blocks(len(self)):
            if self._rows is None:
                shown[block] = self._array[block][:, positions]
            else:
                shown[block] = self._array[self._rows[block][:, None], positions]
        return Ads(shown, self.metadata, self.missing)

    def without_metadata(self) -> "Ads":
        """Return the same ads with neither metadata nor missing inputs known."""
        bare = copy(self)
        bare.metadata, bare.missing = self.metadata.iloc[:, :0], self.missing[:, :0]
        return bare


@dataclass(frozen=True, eq=False)
class StackData:
    """What a meta-learner learns from.

    Attributes
    ----------
    models : tuple of str
        Names of the level-1 models.
    reads : ndarray of shape (n_models, n_inputs), dtype bool
        Which inputs each model reads; none where that is not known.
    ads : Ads
        The training ads. Their probabilities are out-of-fold: each ad as predicted by models that
        never saw it.
    labels : ndarray of shape (n_ads, n_tags), dtype uint8
    fold : ndarray of shape (n_ads,), dtype int
        The fold that each ad is held out in.
    top_k : int
        Tags of an ad that enter GAP's list.
    group : ndarray of shape (n_ads,) or None
        Ads of one group are held out together; None where the dataset has no groups.
    metric : str
        What is optimised, as `competition.evaluation.chosen_metric.metric_of` takes it: "gap",
        global average precision, by default.
    leaked : mapping of str to StandingOut
        Level-1 models that predict one fold suspiciously well, with that fold. Where other models
        do not, what these lead to expect stands in place of that fold's predictions.
    n_threads : int
        Threads that a meta-learner may use; no byte of its predictions depends on it.
    shown : mapping of tuple of int to tuple of int
        Where there are many models: the positions of those that a meta-learner is shown, by the
        folds that it learns from. Chosen once for all meta-learners, by these folds alone.
    """

    models: tuple[str, ...]
    reads: np.ndarray
    ads: Ads
    labels: np.ndarray
    fold: np.ndarray
    top_k: int
    group: np.ndarray | None = None
    metric: str = "gap"
    leaked: Mapping[str, StandingOut] = field(default_factory=dict)
    n_threads: int = 1
    shown: Mapping[tuple[int, ...], tuple[int, ...]] = field(default_factory=dict)

    @property
    def folds(self) -> list[int]:
        """Fold numbers, ascending."""
        return sorted(int(k) for k in np.unique(self.fold))

    def take(self, rows: np.ndarray) -> "StackData":
        """Return the training ads at these positions alone, in the folds that they had."""
        return replace(
            self,
            ads=self.ads.take(rows),
            labels=self.labels[rows],
            fold=self.fold[rows],
            group=None if self.group is None else self.group[rows],
        )

    def without_fold(self, fold: int) -> "StackData":
        """Return the data as if the ads of `fold` did not exist."""
        return self.take(np.flatnonzero(self.fold != fold))

    def of_models(self, models: Sequence[str], room: np.ndarray | None = None) -> "StackData":
        """Return the data as if there were no other level-1 models; `room` is as of the ads."""
        place_of = {model: place for place, model in enumerate(self.models)}
        positions = [place_of[model] for model in models]
        return replace(
            self,
            models=tuple(models),
            reads=self.reads[positions],
            ads=self.ads.of_models(positions, room),
            leaked={model: found for model, found in self.leaked.items() if model in models},
            shown={},
        )

    def without_metadata(self) -> "StackData":
        """Return the data as if neither metadata nor missing inputs were known."""
        return replace(self, reads=self.reads[:, :0], ads=self.ads.without_metadata())


def check_range(ads: Ads, what: str, models: Sequence[str]) -> None:
    """Raise a ModelError if a level-1 probability is not a number between 0 and 1.

    Parameters
    ----------
    ads : Ads
    what : str
        What the message calls the ads: "training", "test".
    models : sequence of str
        Names of the level-1 models.
    """
    for block in blocks(len(ads)):
        values = ads.read(block)
        if values.size and not (values.min() >= 0 and values.max() <= 1):  # NaN is neither
            wrong = ~((values >= 0) & (values <= 1))
            row, model, tag = (int(i) for i in np.argwhere(wrong)[0])
            raise ModelError(
                f"The level-1 model {models[model]!r} predicts {values[wrong][0]} for tag "
                f"number {tag} of {what} ad number {block.start + row} (both from 0); a "
                "probability lies between 0 and 1. Fix the model and run it again."
            )


def check_folds(data: StackData) -> None:
    """Raise a ModelError if there are fewer than two folds."""
    if len(data.folds) < 2:
        raise ModelError(
            f"A meta-learner needs ads in two folds or more, got the folds {data.folds}. "
            "Make the folds again with n = 2 or more."
        )
