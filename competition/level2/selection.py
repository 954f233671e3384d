"""Nested selection: which meta-learner to use is itself learned, without the fold it is used for.

Whoever scores ten candidates on all ads and reports the best score reports luck as well. Here the
candidate that predicts fold k is chosen without fold k (nested cross-validation; Varma and Simon
2006, BMC Bioinformatics 7:91), so that the OOF score of the selection pays for the choice.

With few ads the best of several candidates is mostly the luckiest, and the most flexible are the
luckiest of all. So of those that the ads cannot tell from the best, the simplest is taken: the
one-standard-error rule (Breiman et al. 1984, Classification and Regression Trees, section 3.4.3),
with the error of the difference to the best, as both are scored on the same ads.
"""

import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from joblib import effective_n_jobs

from competition.evaluation.bootstrap import resampled
from competition.evaluation.metrics import gap
from competition.execution.local import run_tasks
from competition.level2.base import MetaLearner
from competition.level2.crossfit import StackPredictions, cross_fit
from competition.level2.data import Ads, StackData
from competition.level2.kept import Attempt, KeptCrossFits
from competition.oof.fold_files import check_probabilities
from competition.utils.errors import CompetitionError, ModelError
from competition.utils.progress import Progress

# Enough for a standard error that is 7 % off (Efron and Tibshirani 1993, section 6.4: 50 to 200).
N_RESAMPLES = 100


@dataclass(frozen=True, eq=False)
class NestedSelection:
    """For each fold, the simplest candidate about as good as the best on the other folds.

    Attributes
    ----------
    output : StackPredictions
        Each fold, and the test ads, as the candidate chosen for that fold predicts them.
    chosen : list of str
        The candidate that predicts each fold.
    gaps : dict of str to float
        Each working candidate's OOF GAP on all ads, which the choice does not see.
    inner_gaps : dict of str to list of float
        Each working candidate's OOF GAP without fold k, for every k; an empty list where there is
        but one candidate.
    inner_errors : dict of str to list of float
        Standard error of the difference between each of these and the highest without fold k.
    corrections : dict of str to list of float
        For each working candidate that corrects another stack, the share of its correction that it
        uses in each fold.
    failed : dict of str to str
        Why each other candidate failed.
    """

    output: StackPredictions
    chosen: list[str]
    gaps: dict[str, float]
    inner_gaps: dict[str, list[float]]
    inner_errors: dict[str, list[float]]
    corrections: dict[str, list[float]]
    failed: dict[str, str]


def nested_selection(
    candidates: Mapping[str, MetaLearner],
    data: StackData,
    test: Ads | None = None,
    *,
    n_jobs: int = 1,
    progress: Progress | None = None,
    kept: KeptCrossFits | None = None,
) -> NestedSelection:
    """Choose a candidate for every fold without that fold, and predict the fold by it.

    For every fold k:

    1. Every candidate is cross-fitted on the ads of the other folds alone, with those folds.
    2. Those are kept whose OOF GAP there is no further below the highest than one standard error
       of that difference, by a paired bootstrap over the ads. Of these, those of the lowest
       `complexity`; of these, the one with the highest GAP; of equal ones, the first named.
    3. Fold k, and the test ads, are as that candidate predicts them when trained on all ads of the
       other folds.

    A candidate that fails anywhere is left out of all folds. Where there is but one candidate,
    nothing is chosen, and step 1 is left out. `n` folds take `n` + 1 cross-fits of each candidate.

    Parameters
    ----------
    candidates : mapping of str to MetaLearner
        They are copied and stay as they are.
    data : StackData
    test : Ads or None
        None: there are no test ads.
    n_jobs : int
        Cross-fits at a time, each in a process of its own; it changes nothing but the time taken.
    progress : Progress or None
        Hears how far the cross-fits have come.
    kept : KeptCrossFits or None
        Where cross-fits are kept; those that are there already are read, not fitted.

    Raises
    ------
    ModelError
        If there are fewer than three folds to choose with, or every candidate fails.
    """
    choose = len(candidates) > 1
    if choose and len(data.folds) < 3:
        raise ModelError(
            "Choosing among meta-learners needs three folds or more, for those that are left "
            f"when one is held out are folds again; got the folds {data.folds}. Make the folds "
            "again with n = 3 or more."
        )
    places = range(len(data.folds) if choose else 0)
    attempts = _attempts(
        candidates, [None, *places], data, test, n_jobs, progress or Progress(), kept
    )
    failed = {
        name: reasons[0]
        for name, of_name in attempts.items()
        if (reasons := [one.failure for one in of_name.values() if one.failure])
    }
    working = [name for name in candidates if name not in failed]
    if not working:
        listed = "\n".join(f"  {name}: {reason}" for name, reason in failed.items())
        raise ModelError(f"Every meta-learner failed:\n{listed}")
    whole = {name: attempts[name][None] for name in working}
    outputs = {name: one.predictions for name, one in whole.items() if one.predictions is not None}
    gaps = {name: one.gap for name, one in whole.items()}
    inner_gaps = {name: [attempts[name][place].gap for place in places] for name in working}
    inner_errors: dict[str, list[float]] = {name: [] for name in working}
    chosen = []
    for place in range(len(data.folds)):
        if choose:
            of_place = {name: attempts[name][place] for name in working}
            errors = _errors(of_place)
            for name, error in errors.items():
                inner_errors[name].append(error)
            chosen.append(_choice(candidates, of_place, errors))
        else:
            chosen.append(working[0])
    return NestedSelection(
        _joined(data, [outputs[name] for name in chosen]),
        chosen,
        gaps,
        inner_gaps,
        inner_errors,
        {name: one.corrections for name, one in whole.items() if one.corrections},
        failed,
    )


def _attempts(
    candidates: Mapping[str, MetaLearner],
    places: list[int | None],
    data: StackData,
    test: Ads | None,
    n_jobs: int,
    progress: Progress,
    kept: KeptCrossFits | None,
) -> dict[str, dict[int | None, Attempt]]:
    """Cross-fit every candidate without each fold; by name and place, in the order given."""
    pairs = [(name, place) for name in candidates for place in places]
    found: dict[tuple[str, int | None], Attempt] = {}
    if kept is not None:
        found = {pair: one for pair in pairs if (one := kept.read(*pair)) is not None}
    absent = [pair for pair in pairs if pair not in found]
    n_jobs = max(1, min(effective_n_jobs(n_jobs), len(absent)))

    def folds_of(some: Iterable[tuple[str, int | None]]) -> int:
        return sum(len(data.folds) - (place is not None) for _, place in some)

    def report(name: str, n_folds: int) -> None:
        progress.update("level 2", folds_of(found) + n_folds, folds_of(pairs), name)

    report("", 0)
    # Only in this process can a fold be heard of before its cross-fit is done.
    tasks = [
        (name, candidates[name], place, data, test, kept, partial(report, name))
        if n_jobs == 1
        else (name, candidates[name], place, data, test, kept)
        for name, place in absent
    ]
    for one in run_tasks(_attempt, tasks, n_jobs=n_jobs):
        found[one.name, one.place] = one
        report(one.name, 0)
    return {name: {place: found[name, place] for place in places} for name in candidates}


def _attempt(
    name: str,
    candidate: MetaLearner,
    place: int | None,
    data: StackData,
    test: Ads | None,
    kept: KeptCrossFits | None,
    each: Callable[[int], None] | None = None,
) -> Attempt:
    attempt = _fitted(name, candidate, place, data, test, each)
    if kept is not None and not attempt.failure:
        kept.write(attempt)
    return attempt


def _fitted(
    name: str,
    candidate: MetaLearner,
    place: int | None,
    data: StackData,
    test: Ads | None,
    each: Callable[[int], None] | None,
) -> Attempt:
    try:
        if place is not None:
            data, test = data.without_fold(data.folds[place]), None
        output = cross_fit(candidate, data, test, each)
        n_ads, n_tags = data.labels.shape
        check_probabilities(name, output.oof, (n_ads, n_tags))
        for fold_test in output.fold_test:
            check_probabilities(name, fold_test, (len(fold_test), n_tags))
        if place is None:
            value = gap(data.labels, output.oof, data.top_k)
            return Attempt(
                name,
                place,
                value,
                predictions=StackPredictions(output.oof, output.fold_test),
                corrections=output.corrections,
            )
        found = resampled(data.labels, output.oof, data.top_k, N_RESAMPLES, seed=0)
        return Attempt(name, place, found.value, found.resamples)
    except Exception as bad:  # whatever stops one candidate must not stop the others
        return Attempt(name, place, failure=_reason(bad))


def _reason(bad: Exception) -> str:
    if isinstance(bad, CompetitionError):
        return str(bad)
    frames = traceback.extract_tb(bad.__traceback__)
    where = [one for one in frames if "site-packages" not in one.filename][-1]
    return f"{type(bad).__name__}: {bad} ({Path(where.filename).name}, line {where.lineno})"


def _errors(attempts: Mapping[str, Attempt]) -> dict[str, float]:
    """Standard error of the difference between each candidate's GAP and the highest."""
    best = max(attempts.values(), key=lambda one: one.gap)
    return {
        name: float((one.resampled - best.resampled).std(ddof=1)) for name, one in attempts.items()
    }


def _choice(
    candidates: Mapping[str, MetaLearner],
    attempts: Mapping[str, Attempt],
    errors: Mapping[str, float],
) -> str:
    """Name of the simplest candidate within one standard error of the best."""
    best = max(one.gap for one in attempts.values())
    kept = [name for name, one in attempts.items() if one.gap >= best - errors[name]]
    return min(kept, key=lambda name: (candidates[name].complexity, -attempts[name].gap))


def _joined(data: StackData, outputs: list[StackPredictions]) -> StackPredictions:
    """Each fold from the output at its place."""
    oof = np.empty(data.labels.shape, dtype=np.float32)
    for fold, output in zip(data.folds, outputs, strict=True):
        oof[data.fold == fold] = output.oof[data.fold == fold]
    return StackPredictions(
        oof, np.stack([output.fold_test[place] for place, output in enumerate(outputs)])
    )
