"""Cross-fits of meta-learners, kept one by one, so that a stack that is killed loses only the last.

::

    <folder>/<meta-learner>-<k>.npz      its cross-fit without the fold at place k
    <folder>/<meta-learner>-all.npz      its cross-fit with all folds
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from competition.level2.crossfit import StackPredictions
from competition.utils.files import written_whole


@dataclass(frozen=True, eq=False)
class Attempt:
    """A cross-fit of a candidate without the fold at a place, or with all of them (None).

    Attributes
    ----------
    name : str
    place : int or None
    gap : float
    resampled : ndarray of shape (n_resamples,), dtype float64
        GAPs; the same draws for every candidate at this place. Empty with all folds.
    predictions : StackPredictions or None
        None without a fold.
    corrections : list of float
        As `StackOutput.corrections`.
    failure : str
        Why it failed; empty where it worked.
    """

    name: str
    place: int | None
    gap: float = 0.0
    resampled: np.ndarray = field(default_factory=lambda: np.empty(0))
    predictions: StackPredictions | None = None
    corrections: list[float] = field(default_factory=list)
    failure: str = ""


@dataclass(frozen=True)
class KeptCrossFits:
    """A folder of cross-fits, each with the fingerprint of what it was made from.

    Attributes
    ----------
    folder : Path
    fingerprints : mapping of str to str
        Of each candidate, by its name.
    """

    folder: Path
    fingerprints: Mapping[str, str]

    def read(self, name: str, place: int | None) -> Attempt | None:
        """Return the cross-fit; None where it is absent, damaged or made from other things."""
        try:
            with np.load(self._path(name, place), allow_pickle=False) as stored:
                if str(stored["fingerprint"]) != self.fingerprints[name]:
                    return None
                predictions = None
                if place is None:
                    predictions = StackPredictions(stored["oof"], stored["fold_test"])
                return Attempt(
                    name,
                    place,
                    float(stored["gap"]),
                    stored["resampled"],
                    predictions,
                    stored["corrections"].tolist(),
                )
        except Exception:  # absent, or damaged in any way: it is fitted again
            return None

    def write(self, attempt: Attempt) -> None:
        """Keep a cross-fit that worked."""
        arrays = {
            "fingerprint": np.asarray(self.fingerprints[attempt.name]),
            "gap": np.asarray(attempt.gap),
            "resampled": attempt.resampled,
            "corrections": np.asarray(attempt.corrections, dtype=np.float64),
        }
        if attempt.predictions is not None:
            arrays["oof"] = attempt.predictions.oof
            arrays["fold_test"] = attempt.predictions.fold_test
        with (
            written_whole(self._path(attempt.name, attempt.place)) as temporary,
            temporary.open("wb") as file,
        ):
            np.savez(file, allow_pickle=False, **arrays)

    def _path(self, name: str, place: int | None) -> Path:
        return self.folder / f"{name}-{'all' if place is None else place}.npz"
