"""Fits of meta-learners: without pairs of folds, and cross-fitted with all folds."""

import math
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from joblib import effective_n_jobs

from competition.execution.engines import run_tasks
from competition.execution.needs import GIB, Need
from competition.level2.base import MetaLearner
from competition.level2.crossfit import StackPredictions, cross_fit
from competition.level2.data import Ads, StackData
from competition.level2.kept import Attempt, KeptCrossFits, Place
from competition.oof.fold_files import check_probabilities
from competition.utils.errors import CompetitionError
from competition.utils.progress import Progress

Attempts = dict[tuple[str, Place], Attempt]


class Fits:
    """Fits of candidates, made or read as they are asked for."""

    def __init__(
        self,
        candidates: Mapping[str, MetaLearner],
        data: StackData,
        test: Ads | None,
        n_jobs: int,
        progress: Progress,
        kept: KeptCrossFits | None,
    ) -> None:
        self.candidates, self.data, self.test = candidates, data, test
        self.n_jobs, self.progress, self.kept = n_jobs, progress, kept
        self.found: Attempts = {}

    @property
    def failed(self) -> dict[str, str]:
        """Why candidates failed, in the order of the candidates."""
        reasons: dict[str, str] = {}
        for name in self.candidates:
            failures = [one.failure for (of, _), one in self.found.items() if of == name]
            if any(failures):
                reasons[name] = next(filter(None, failures))
        return reasons

    def run(self, wanted: list[tuple[str, Place]]) -> None:
        """Fit what is wanted, not there and not kept; fits stay in the order asked for."""
        made = {one: self.found[one] for one in wanted if one in self.found}
        if self.kept is not None:
            made |= {
                one: kept
                for one in wanted
                if one not in made and (kept := self.kept.read(*one)) is not None
            }
        tasks = [
            (name, self.candidates[name], place, self.data, self.test, self.kept)
            for name, place in wanted
            if (name, place) not in made
        ]
        n_jobs = max(1, min(effective_n_jobs(self.n_jobs), len(tasks)))
        self.progress.update("level 2", len(made), len(wanted))
        needs = [need_of(self.data)] * len(tasks)
        for one in run_tasks(_attempt, tasks, needs, n_jobs=n_jobs):
            made[one.name, one.place] = one
            self.progress.update("level 2", len(made), len(wanted), one.name)
        self.found.update((one, made[one]) for one in wanted)

    def held_out(self, pairs: Iterable[tuple[int, int]]) -> dict[str, dict[Place, Attempt]]:
        """Fits without each of these pairs of folds, of the candidates that have not failed."""
        failed = self.failed
        return {
            name: {pair: self.found[name, pair] for pair in pairs if (name, pair) in self.found}
            for name in self.candidates
            if name not in failed
        }


def need_of(data: StackData) -> Need:
    return Need("level 2", memory=GIB + 12 * math.prod(data.ads.shape))


def _attempt(
    name: str,
    candidate: MetaLearner,
    place: Place,
    data: StackData,
    test: Ads | None,
    kept: KeptCrossFits | None,
) -> Attempt:
    attempt = _fitted(name, candidate, place, data, test)
    if kept is not None and not attempt.failure:
        kept.write(attempt)
    return attempt


def _fitted(
    name: str, candidate: MetaLearner, place: Place, data: StackData, test: Ads | None
) -> Attempt:
    try:
        n_tags = data.labels.shape[1]
        if place is not None:
            rows = [np.flatnonzero(data.fold == data.folds[one]) for one in place]
            others = np.flatnonzero(~np.isin(data.fold, [data.folds[one] for one in place]))
            fitted = candidate.for_fold(place[0]).fit(data.take(others))
            held_out = tuple(fitted.predict_proba(data.ads.take(of)) for of in rows)
            for of, found in zip(rows, held_out, strict=True):
                check_probabilities(name, found, (len(of), n_tags))
            return Attempt(name, place, held_out)
        output = cross_fit(candidate, data, test)
        check_probabilities(name, output.oof, (len(data.labels), n_tags))
        for fold_test in output.fold_test:
            check_probabilities(name, fold_test, (len(fold_test), n_tags))
        predictions = StackPredictions(output.oof, output.fold_test)
        return Attempt(name, place, (), predictions, output.corrections)
    except Exception as bad:  # whatever stops one candidate must not stop the others
        return Attempt(name, place, failure=_reason(bad))


def _reason(bad: Exception) -> str:
    if isinstance(bad, CompetitionError):
        return str(bad)
    frames = traceback.extract_tb(bad.__traceback__)
    own = [one for one in frames if "site-packages" not in one.filename]
    where = (own or frames)[-1]  # this package may itself be installed there
    return f"{type(bad).__name__}: {bad} ({Path(where.filename).name}, line {where.lineno})"
