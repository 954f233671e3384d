"""Fits of meta-learners, kept one by one, so that a stack that is killed loses only the last.

::

    <folder>/<meta-learner>-<j>-<k>.npz  fitted without the folds at places j and k
    <folder>/<meta-learner>-all.npz      its cross-fit with all folds
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from competition.level2.crossfit import StackPredictions
from competition.utils.files import written_whole

Place = tuple[int, int] | None


@dataclass(frozen=True, eq=False)
class Attempt:
    """A candidate fitted without a pair of folds, or cross-fitted with all of them (None).

    Attributes
    ----------
    name : str
    place : (int, int) or None
        Places of the two folds.
    held_out : tuple of ndarray
        What it predicts for the ads of these two; empty with all folds.
    predictions : StackPredictions or None
        Of all folds; None without a pair.
    corrections : list of float
        As `StackOutput.corrections`.
    failure : str
        Why it failed; empty where it worked.
    """

    name: str
    place: Place
    held_out: tuple[np.ndarray, ...] = ()
    predictions: StackPredictions | None = None
    corrections: list[float] = field(default_factory=list)
    failure: str = ""


@dataclass(frozen=True)
class KeptCrossFits:
    """A folder of fits, each with the fingerprint of what it was made from.

    Attributes
    ----------
    folder : Path
    fingerprints : mapping of str to str
        Of each candidate, by its name.
    """

    folder: Path
    fingerprints: Mapping[str, str]

    def read(self, name: str, place: Place) -> Attempt | None:
        """Return the fit; None where it is absent, damaged or made from other things."""
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
                    () if place is None else (stored["first"], stored["second"]),
                    predictions,
                    stored["corrections"].tolist(),
                )
        except Exception:  # absent, or damaged in any way: it is fitted again
            return None

    def write(self, attempt: Attempt) -> None:
        """Keep a fit that worked."""
        arrays = {
            "fingerprint": np.asarray(self.fingerprints[attempt.name]),
            "corrections": np.asarray(attempt.corrections, dtype=np.float64),
        }
        if attempt.predictions is not None:
            arrays["oof"] = attempt.predictions.oof
            arrays["fold_test"] = attempt.predictions.fold_test
        if attempt.place is not None:
            arrays["first"], arrays["second"] = attempt.held_out
        with (
            written_whole(self._path(attempt.name, attempt.place)) as temporary,
            temporary.open("wb") as file,
        ):
            np.savez(file, allow_pickle=False, **arrays)

    def _path(self, name: str, place: Place) -> Path:
        of = "all" if place is None else f"{place[0]}-{place[1]}"
        return self.folder / f"{name}-{of}.npz"
