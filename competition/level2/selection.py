"""Nested selection: how much each meta-learner weighs is learned without the fold it is used for.

Whoever scores ten candidates on all ads and reports the best score reports luck as well. Here the
candidates that predict fold k are weighed without fold k (nested cross-validation; Varma and Simon
2006, BMC Bioinformatics 7:91), so that the OOF score of the selection pays for the choice.

With few ads the best of several candidates is mostly the luckiest. So none is picked: those that
the ads cannot tell from the best are averaged with it, by weights that fall with the distance to
the best in standard errors of that distance. Folds then differ little in what predicts them, and
everything is brought to one scale before it is averaged, so that they fit together in GAP's list.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
from joblib import effective_n_jobs

from competition.evaluation.chosen_metric import metric_of
from competition.evaluation.metrics import gap
from competition.execution.engines import run_tasks
from competition.level2.base import MetaLearner, one_blas_thread
from competition.level2.components.blend import Blend, fold_blend
from competition.level2.components.halving import MANY_ADS, hopeless, parts
from competition.level2.components.preselection import MANY, preselected
from competition.level2.components.race import (
    FAR,
    FAR_BY_ONE,
    Standing,
    couples,
    outrun,
    ring,
    standings,
)
from competition.level2.crossfit import StackPredictions
from competition.level2.data import Ads, StackData
from competition.level2.fits import Fits, need_of
from competition.level2.kept import KeptCrossFits
from competition.utils.errors import ModelError
from competition.utils.progress import Progress

LEARNED = 2  # the complexity from which on a candidate takes time, and may be dropped early
BENDS = 5  # the complexity from which on a candidate is costly, and must keep up to be fitted on


@dataclass(frozen=True, eq=False)
class NestedSelection:
    """For each fold, a mean of the candidates that are about as good as the best on the others.

    Attributes
    ----------
    output : StackPredictions
        Each fold, and the test ads, as that mean predicts them.
    weights : dict of str to list of float
        What each working candidate weighs in each fold; they sum to 1.
    gaps : dict of str to float
        Each working candidate's OOF GAP on all ads, which the weights do not see.
    inner_scores : dict of str to list of float
        Each working candidate's OOF score, GAP or the metric of the data, without fold k, for every
        k; an empty list where there is but one candidate.
    inner_errors : dict of str to list of float
        Standard error of the difference between each of these and the highest without fold k.
    corrections : dict of str to list of float
        For each working candidate that corrects another stack, the share of its correction that it
        uses in each fold.
    failed : dict of str to str
        Why each other candidate failed.
    dropped : dict of str to int
        Candidates that could not win on a part of the ads, with the number of these ads: they were
        not fitted to all.
    outrun : tuple of str
        Costly candidates that fell so far behind on the first fits that they were not fitted on.
    blends : tuple of Blend
        What predicts each fold; empty where there is but one candidate, which predicts it as it is.
    """

    output: StackPredictions
    weights: dict[str, list[float]]
    gaps: dict[str, float]
    inner_scores: dict[str, list[float]] = field(default_factory=dict)
    inner_errors: dict[str, list[float]] = field(default_factory=dict)
    corrections: dict[str, list[float]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    outrun: tuple[str, ...] = ()
    blends: tuple[Blend, ...] = ()

    @property
    def chosen(self) -> list[str]:
        """The candidate that weighs most in each fold; of equal ones, the first."""
        n_folds = len(next(iter(self.weights.values())))
        return [max(self.weights, key=lambda name: self.weights[name][k]) for k in range(n_folds)]


def nested_selection(
    candidates: Mapping[str, MetaLearner],
    data: StackData,
    test: Ads | None = None,
    *,
    n_jobs: int = 1,
    progress: Progress | None = None,
    kept: KeptCrossFits | None = None,
    many_ads: int = MANY_ADS,
) -> NestedSelection:
    """Weigh the candidates for every fold without that fold, and predict the fold by their mean.

    For every fold k:

    1. Every candidate is cross-fitted on the ads of the other folds alone, with those folds.
    2. A curve for each brings what it predicts there to the scale of the mean level-1 probability
       (`competition.level2.components.scale`). No label is used. Where the metric looks at values,
       as F1 at 0.5 does, and not at their order alone, each stays on its own scale.
    3. It weighs ``exp(-d / s)``: d is how far its score there is below the highest, s the median
       over candidates of the standard error of d, by a paired bootstrap over the ads, or over
       groups where there are some. Candidates of the lowest complexity stand alone where the
       weighted mean scores less than the best of them; any candidate does where each stays on its
       own scale.
    4. Fold k, and the test ads, are the weighted mean of the logits, on that scale, of what the
       candidates predict when trained on all ads of the other folds.

    What is fitted without the folds j and k predicts both: j for the weights of fold k, and k for
    those of fold j. So `n` folds take `n` + `n` (`n` - 1) / 2 fits of a candidate. A costly one, of
    complexity 5, is first fitted without each fold and its neighbours alone; where it is then more
    than two standard errors below the best for a fold k, it weighs nothing there, and where it is
    for all, it is fitted no further. Before, with fits for one neighbour of a fold, three standard
    errors count. Of more than 40 level-1 models, candidates of complexity 1 or more are costly.

    Of `many_ads` or more, all candidates are first fitted so to parts of the ads, up to a quarter.
    One of complexity 2 or more that is far behind on them for fold k, and does not gain on the best
    fast enough to be near on all ads, weighs nothing there; where that is so for all, it is not
    fitted to all ads (`competition.level2.components.halving`). No label of fold k takes part.

    A candidate that fails anywhere is left out of all folds. Who was dropped because of those that
    fail later comes back: where nobody else is left for a fold, and where nobody is left at all, by
    fits to all ads. Where there is but one candidate, it predicts all folds as it is.

    Parameters
    ----------
    candidates : mapping of str to MetaLearner
        They are copied and stay as they are.
    data : StackData
    test : Ads or None
        None: there are no test ads.
    n_jobs : int
        Fits at a time, each in a process of its own; it changes nothing but the time taken.
    progress : Progress or None
        Hears how far the fits have come.
    kept : KeptCrossFits or None
        Where fits are kept; those that are there already are read, not fitted.
    many_ads : int
        Ads from which on candidates are dropped on a part of them.

    Raises
    ------
    ModelError
        If there are fewer than three folds to choose with, or every candidate fails.
    MetricError
        If there is no such metric.
    """
    n_folds, choose = len(data.folds), len(candidates) > 1
    if choose and n_folds < 3:
        raise ModelError(
            "Choosing among meta-learners needs three folds or more, for those that are left "
            f"when one is held out are folds again; got the folds {data.folds}. Make the folds "
            "again with n = 3 or more."
        )
    metric_of(data.metric)
    data = _with_shown(candidates, data, choose, n_jobs)
    progress = progress or Progress()
    early, dropped = [set[str]() for _ in range(n_folds)], dict[str, int]()
    if choose and len(data.labels) >= many_ads:
        early, dropped = _dropped_early(candidates, data, n_jobs, progress)
    given = candidates
    candidates = {name: one for name, one in given.items() if name not in dropped}
    fits = Fits(candidates, data, test, n_jobs, progress, kept)
    pairs = list(combinations(range(n_folds), 2)) if choose else []
    from_complexity = BENDS if len(data.models) <= MANY else 1
    racing = [
        name for name in candidates if candidates[name].complexity >= from_complexity and choose
    ]
    steady = [name for name in candidates if name not in racing]
    # What takes longest goes first: one fit to all ads is a fit without each fold.
    fits.run(
        [(name, place) for place in couples(n_folds) for name in reversed(racing)]
        + [(name, place) for place in [None, *pairs] for name in steady]
    )
    behind = _raced(fits, racing, early)
    lost = set.intersection(*behind)
    rest = [place for place in pairs if place not in ring(n_folds)]
    still = [name for name in racing if name not in lost and name not in fits.failed]
    fits.run([(name, place) for place in [None, *rest] for name in still])
    working = [name for name in candidates if name not in fits.failed and name not in lost]
    if not working and (dropped or lost):  # those that they could not keep up with have failed
        fits.candidates = candidates = given
        working = [name for name in given if name not in fits.failed]
        progress.remark(f"level 2: what was left has failed; back come {', '.join(working)}")
        behind, dropped, lost = [set[str]() for _ in range(n_folds)], {}, set()
        fits.run([(name, place) for place in [None, *pairs] for name in working])
        working = [name for name in working if name not in fits.failed]
    if not working:
        listed = "\n".join(f"  {name}: {reason}" for name, reason in fits.failed.items())
        raise ModelError(f"Every meta-learner failed:\n{listed}")
    behind = [set[str]() if out.issuperset(working) else out for out in behind]
    whole = {name: fits.found[name, None] for name in working}
    outputs = {name: one.predictions for name, one in whole.items() if one.predictions is not None}
    gaps = {name: gap(data.labels, one.oof, data.top_k) for name, one in outputs.items()}
    corrections = {name: one.corrections for name, one in whole.items() if one.corrections}
    if not choose:
        (name,) = working
        weights = {name: [1.0] * n_folds}
        return NestedSelection(outputs[name], weights, gaps, {name: []}, {name: []}, corrections)
    simplest = min(candidates[name].complexity for name in working)
    simple = [name for name in working if candidates[name].complexity == simplest == 0]
    held_out = fits.held_out(pairs)
    blends = [
        fold_blend(k, {name: held_out[name] for name in working}, behind[k], simple, data)
        for k in range(n_folds)
    ]
    return NestedSelection(
        _joined(data, outputs, blends),
        {name: [blend.weights.get(name, 0.0) for blend in blends] for name in working},
        gaps,
        {name: [blend.scores[name] for blend in blends] for name in working},
        {name: [blend.errors[name] for blend in blends] for name in working},
        corrections,
        fits.failed,
        dropped,
        tuple(name for name in racing if name in lost),
        tuple(blends),
    )


def _with_shown(
    candidates: Mapping[str, MetaLearner], data: StackData, choose: bool, n_jobs: int
) -> StackData:
    """Choose the models that all candidates are shown, once for each set of folds left in."""
    if len(data.models) <= MANY or all(one.sees_all for one in candidates.values()):
        return data
    left_out: list[tuple[int, ...]] = [(fold,) for fold in data.folds]
    left_out += combinations(data.folds, 2) if choose else []
    tasks = [(data, tuple(one for one in data.folds if one not in out)) for out in left_out]
    n_jobs = max(1, min(effective_n_jobs(n_jobs), len(tasks)))
    needs = [need_of(data)] * len(tasks)
    return replace(data, shown=dict(run_tasks(_shown, tasks, needs, n_jobs=n_jobs)))


def _shown(data: StackData, folds: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    with one_blas_thread():
        return folds, preselected(data.take(np.flatnonzero(np.isin(data.fold, folds))))


def _dropped_early(
    candidates: Mapping[str, MetaLearner], data: StackData, n_jobs: int, progress: Progress
) -> tuple[list[set[str]], dict[str, int]]:
    """Candidates that cannot win in each fold; those that cannot in any, with the ads seen."""
    first, behind = ring(len(data.folds)), [set[str]() for _ in data.folds]
    dropped: dict[str, int] = {}
    before: list[Standing] = []
    looked_at = parts(len(data.labels))
    for steps, rows in zip(range(len(looked_at), 0, -1), looked_at, strict=True):
        some = data.take(rows)
        left = {name: one for name, one in candidates.items() if name not in dropped}
        learned = [name for name in left if left[name].complexity >= LEARNED]
        fits = Fits(left, some, None, n_jobs, progress, None)
        fits.run([(name, place) for name in left for place in first])
        now = standings(fits.held_out(first), some, behind, first)
        for place, one in enumerate(before):
            behind[place] |= hopeless(learned, one, now[place], steps)
        lost = set.intersection(*behind)
        dropped |= {name: len(rows) for name in left if name in lost}
        before = now
    return behind, dropped


def _raced(fits: Fits, racing: Sequence[str], early: Sequence[set[str]]) -> Sequence[set[str]]:
    """Fit costly candidates as long as they keep up; return who is behind in each fold."""
    n_folds, behind = len(early), early
    for pairs, far in ((couples(n_folds), FAR_BY_ONE), (ring(n_folds), FAR)):
        lost = set.intersection(*behind)
        still = [name for name in racing if name not in lost and name not in fits.failed]
        if not still:
            break
        fits.run([(name, place) for name in still for place in pairs])
        standing = standings(fits.held_out(pairs), fits.data, behind, pairs)
        behind = [out | outrun(still, one, far) for out, one in zip(behind, standing, strict=True)]
    return behind


def _joined(
    data: StackData, outputs: Mapping[str, StackPredictions], blends: list[Blend]
) -> StackPredictions:
    """Each fold, and the test ads, by the blend at its place."""
    oof = np.empty(data.labels.shape, dtype=np.float32)
    fold_test = []
    for place, (fold, blend) in enumerate(zip(data.folds, blends, strict=True)):
        rows = data.fold == fold
        oof[rows] = blend.mean({name: outputs[name].oof[rows] for name in blend.weights})
        fold_test.append(
            blend.mean({name: outputs[name].fold_test[place] for name in blend.weights})
        )
    return StackPredictions(oof, np.stack(fold_test))
