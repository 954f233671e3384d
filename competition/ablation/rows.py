"""Rows of the ablation tables, and what they are computed from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from competition.evaluation.bootstrap import Difference, gap_difference
from competition.evaluation.metrics import accuracy, gap
from competition.level2.base import MetaLearner
from competition.level2.crossfit import cross_fit
from competition.level2.data import Ads, StackData


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


def without_modality(
    learner: MetaLearner,
    data: StackData,
    removed: Sequence[tuple[Sequence[str], Sequence[int]]],
) -> list[np.ndarray]:
    """Predict held-out ads that lack a modality which the meta-learner was trained with.

    The models of the modality answer with the share of each tag among the training ads of the
    fold, as a model does for an ad without its input, and the flags of the inputs are set. The
    meta-learner is trained as ever.

    Parameters
    ----------
    learner : MetaLearner
    data : StackData
    removed : sequence of (models, inputs)
        For each modality the names of its models and the columns of ``data.ads.missing``.

    Returns
    -------
    list of ndarray of shape (n_train, n_tags), dtype float32
        One per modality.
    """
    found = [np.empty(data.labels.shape, dtype=np.float32) for _ in removed]
    for fold, fitted in zip(data.folds, cross_fit(learner, data).learners, strict=True):
        held_out = np.flatnonzero(data.fold == fold)
        prior = data.labels[data.fold != fold].mean(axis=0)
        ads = data.ads.take(held_out)
        for oof, (models, inputs) in zip(found, removed, strict=True):
            probabilities, missing = ads.probabilities.copy(), ads.missing.copy()
            probabilities[:, [data.models.index(model) for model in models]] = prior
            missing[:, list(inputs)] = True
            oof[held_out] = fitted.predict_proba(Ads(probabilities, ads.metadata, missing))
    return found
