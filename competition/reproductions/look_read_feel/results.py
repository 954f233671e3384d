"""What a benchmark leaves behind."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from competition.datasets.base import AdDataset
from competition.pipeline.extract import Extraction
from competition.reproductions.look_read_feel.methods import Method, SweepPoint
from competition.reproductions.look_read_feel.split import Split

Scores = dict[str, dict[str, dict[str, float]]]  # by task, ads ("validation", "test") and metric


@dataclass(frozen=True)
class Run:
    """A method on one split.

    Attributes
    ----------
    scores : dict
        By task, ads ("validation" or "test") and metric.
    seconds : float
        What fitting and predicting took, when it was run.
    epochs : tuple of int
        The epoch that each network kept, chosen on the validation ads.
    predictions : dict of str to Path
        By task: the file of its predictions.
    """

    scores: Scores
    seconds: float
    epochs: tuple[int, ...]
    predictions: Mapping[str, Path]

    def test_predictions(self, task: str) -> np.ndarray:
        """Probabilities of the test ads, (n_test, tags of the task), as they were stored."""
        with np.load(self.predictions[task], allow_pickle=False) as stored:
            return stored[f"test {task}"]


@dataclass(frozen=True)
class Outcome:
    """A method with what it scored on each split; without any where it was not run."""

    method: Method
    runs: tuple[Run, ...]

    @property
    def scores(self) -> Scores:
        """Scores as the mean over the splits; {} where it was not run."""
        if not self.runs:
            return {}
        return {
            task: {
                ads: {metric: float(np.mean(self.values(task, metric, ads))) for metric in metrics}
                for ads, metrics in of_task.items()
            }
            for task, of_task in self.runs[0].scores.items()
        }

    def values(self, task: str, metric: str, ads: str = "test") -> np.ndarray:
        """One score on every split, (n_splits,)."""
        return np.array([run.scores[task][ads][metric] for run in self.runs])

    def spread(self, task: str, metric: str) -> float:
        """Standard deviation of a test score over the splits; NaN for one split."""
        return _deviation(self.values(task, metric))


@dataclass(frozen=True)
class Change:
    """What a score gains by a change, in percentage points.

    Attributes
    ----------
    mean : float
        Over the splits, each paired with itself.
    margin : float
        Half the width of its 95 % confidence interval; NaN for one split.
    """

    mean: float
    margin: float


def changes(outcome: Outcome, full: Outcome, share_of_test: float) -> dict[str, dict[str, Change]]:
    """What the test scores of a method lie above those of the full one, by task and metric.

    The splits share ads, so that the variance of their mean is larger than that of independent
    ones: it is ``(1/J + n_test / n_train) s^2`` for J splits (Nadeau and Bengio, Inference for the
    generalization error, 2003), and the interval is Student's with J - 1 degrees of freedom.

    Parameters
    ----------
    outcome, full : Outcome
    share_of_test : float
        Test ads to training ads, ``n_test / n_train``.
    """
    if not outcome.runs or not full.runs:
        return {}
    return {
        task: {
            metric: _change(
                100 * (outcome.values(task, metric) - full.values(task, metric)), share_of_test
            )
            for metric in scores["test"]
        }
        for task, scores in outcome.scores.items()
    }


def _change(differences: np.ndarray, share_of_test: float) -> Change:
    from scipy.stats import t

    n = len(differences)
    if n < 2:
        return Change(float(differences.mean()), math.nan)
    error = _deviation(differences) * math.sqrt(1 / n + share_of_test)
    return Change(float(differences.mean()), float(t.ppf(0.975, n - 1)) * error)


def _deviation(values: Sequence[float] | np.ndarray) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


@dataclass(frozen=True, eq=False)
class Benchmark:
    """What a benchmark leaves behind.

    Attributes
    ----------
    dataset : AdDataset
    extractions : list of Extraction
    splits : list of Split
    tasks : tuple of str
        The dimensions of the tags.
    table1, table2 : list of Outcome
        On every split.
    sweeps : list of (SweepPoint, Outcome)
        On the first split alone.
    n_fitted : int
        Models that were fitted, not read.
    folder : Path
        Holds the tables, the plots and ``fits/``.
    """

    dataset: AdDataset
    extractions: list[Extraction]
    splits: list[Split]
    tasks: tuple[str, ...]
    table1: list[Outcome]
    table2: list[Outcome]
    sweeps: list[tuple[SweepPoint, Outcome]]
    n_fitted: int
    folder: Path

    def changes(self, outcome: Outcome) -> dict[str, dict[str, Change]]:
        """What an outcome of Table 2 lies above the full model."""
        split = self.splits[0]
        return changes(outcome, self.table2[0], len(split.test.ids) / len(split.train.ids))
