"""Rows of the ablation tables, and what they are computed from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.base import clone

from competition.evaluation.bootstrap import Difference, gap_difference
from competition.evaluation.metrics import accuracy, gap
from competition.level2.base import MetaLearner, StackInput


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes
    ----------
    name : str
    models : tuple of str
        Level-1 models, or feature-fusion rivals, that it is made of.
    accuracy : float
        Share of right yes/no decisions at 0.5.
    gap : float
    difference : Difference
        Its GAP less that of the table's reference.
    note : str
    """

    name: str
    models: tuple[str, ...]
    accuracy: float
    gap: float
    difference: Difference
    note: str = ""


@dataclass(frozen=True)
class AblationTable:
    """A table of the ablation.

    Attributes
    ----------
    name : str
        Short, for files.
    title : str
    reference : str
        What the differences are to.
    rows : tuple of Row
    note : str
        How the numbers came about.
    """

    name: str
    title: str
    reference: str
    rows: tuple[Row, ...]
    note: str = ""


@dataclass(frozen=True, eq=False)
class RowMaker:
    """Makes rows that are held against one reference.

    Attributes
    ----------
    labels : ndarray of shape (n_ads, n_tags)
    reference : ndarray of shape (n_ads, n_tags)
        OOF probabilities that the differences are to.
    top_k : int
        Tags of an ad that enter GAP's list.
    seed : int
        Of the bootstrap.
    """

    labels: np.ndarray
    reference: np.ndarray
    top_k: int
    seed: int

    def __call__(self, name: str, models: Sequence[str], oof: np.ndarray, note: str = "") -> Row:
        """Make a row of a name, what it is made of, its OOF probabilities and a note."""
        return Row(
            name,
            tuple(models),
            accuracy(self.labels, oof),
            gap(self.labels, oof, self.top_k),
            gap_difference(self.labels, oof, self.reference, self.top_k, self.seed),
            note,
        )


def only(data: StackInput, models: Sequence[str], *, metadata: bool = True) -> StackInput:
    """What a meta-learner would see if there were no other models, and, if wanted, no metadata.

    The metadata include which inputs are missing.
    """
    positions = [data.models.index(model) for model in models]
    kept = replace(
        data,
        models=tuple(models),
        train=data.train[:, positions],
        test=data.test[:, positions],
        reads=data.reads[positions],
    )
    if metadata:
        return kept
    return replace(
        kept,
        train_metadata=data.train_metadata[[]],
        test_metadata=data.test_metadata[[]],
        train_missing=data.train_missing[:, :0],
        test_missing=data.test_missing[:, :0],
        reads=kept.reads[:, :0],
    )


def without_test(data: StackInput) -> StackInput:
    """Leave the test ads out: an ablation predicts training ads alone."""
    return replace(
        data,
        test=data.test[:0],
        test_metadata=data.test_metadata[:0],
        test_missing=data.test_missing[:0],
    )


def oof_of(learner: MetaLearner, data: StackInput) -> np.ndarray:
    """Out-of-fold probabilities of a meta-learner that was never used, or is cloned."""
    return clone(learner).cross_fit(data, n_jobs=1).oof


def without_modality(
    learner: MetaLearner,
    data: StackInput,
    taken: Sequence[tuple[Sequence[str], Sequence[int]]],
) -> list[np.ndarray]:
    """Score held-out ads that lack a modality which the meta-learner was trained with.

    The models of the modality answer with the share of each tag among the training ads of the
    fold, as a model does for an ad without its input, and the flags of the inputs are set. The
    meta-learner is trained as ever and asked about the ads as if they were test ads.

    Parameters
    ----------
    learner : MetaLearner
    data : StackInput
    taken : sequence of (models, inputs)
        For each modality the names of its models and the columns of ``data.train_missing``.

    Returns
    -------
    list of ndarray of shape (n_train, n_tags), dtype float32
        One per modality.
    """
    n_ads = len(data.labels)
    prior = np.empty(data.labels.shape, dtype=np.float32)
    for fold in data.folds:
        prior[data.fold == fold] = data.labels[data.fold != fold].mean(axis=0)
    tests, missing = [], []
    for models, inputs in taken:
        test, flags = data.train.copy(), data.train_missing.copy()
        test[:, [data.models.index(model) for model in models]] = prior[:, None]
        flags[:, list(inputs)] = True
        tests.append(test)
        missing.append(flags)
    asked = replace(
        data,
        test=np.concatenate(tests),
        test_metadata=data.train_metadata.iloc[np.tile(np.arange(n_ads), len(taken))],
        test_missing=np.concatenate(missing),
    )
    fold_test = clone(learner).cross_fit(asked, n_jobs=1).fold_test
    place = np.searchsorted(data.folds, data.fold)
    return [fold_test[place, part * n_ads + np.arange(n_ads)] for part in range(len(taken))]
