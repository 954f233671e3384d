"""What a benchmark leaves behind."""

from dataclasses import dataclass
from pathlib import Path

from competition.datasets.base import AdDataset
from competition.pipeline.extract import Extraction
from competition.reproductions.look_read_feel.methods import Method, SweepPoint
from competition.reproductions.look_read_feel.split import Split

Scores = dict[str, dict[str, dict[str, float]]]  # by task, ads ("validation", "test") and metric


@dataclass(frozen=True)
class Outcome:
    """A method with its scores; without any where it was not run.

    Attributes
    ----------
    method : Method
    scores : dict
        By task, ads ("validation" or "test") and metric ("map", "f1_c" or "f1_o").
    seconds : float
        What fitting and predicting took, when it was run.
    """

    method: Method
    scores: Scores
    seconds: float


@dataclass(frozen=True, eq=False)
class Benchmark:
    """What a benchmark leaves behind.

    Attributes
    ----------
    dataset : AdDataset
    extractions : list of Extraction
    split : Split
    tasks : tuple of str
        The dimensions of the tags.
    table1, table2 : list of Outcome
    sweeps : list of (SweepPoint, Outcome)
    sweep_epochs : int
    n_fitted : int
        Models that were fitted, not read.
    folder : Path
        Holds the tables, the plots and ``fits/``.
    """

    dataset: AdDataset
    extractions: list[Extraction]
    split: Split
    tasks: tuple[str, ...]
    table1: list[Outcome]
    table2: list[Outcome]
    sweeps: list[tuple[SweepPoint, Outcome]]
    sweep_epochs: int
    n_fitted: int
    folder: Path
