"""The gate: which meta-learner to use is itself learned, by folds that the choice never saw.

Whoever scores ten candidates on all ads and reports the best score reports luck as well. Here the
candidate that predicts fold k is chosen without fold k (nested cross-validation; Varma and Simon
2006, BMC Bioinformatics 7:91), so that the gate's OOF score pays for the choice.

With few ads the best of several candidates is mostly the luckiest, and the most flexible are the
luckiest of all. So of those that the ads cannot tell from the best, the simplest is taken: the
one-standard-error rule (Breiman et al. 1984, Classification and Regression Trees, section 3.4.3),
with the error of the difference to the best, as both are scored on the same ads.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import clone

from competition.evaluation.bootstrap import resampled
from competition.evaluation.metrics import gap
from competition.level2.base import MetaLearner, StackInput, StackOutput
from competition.oof.fold_files import check_probabilities
from competition.utils.errors import CompetitionError, ModelError
from competition.utils.progress import Progress

# Enough for a standard error that is 7 % off (Efron and Tibshirani 1993, section 6.4: 50 to 200).
N_RESAMPLES = 100


class Gate(MetaLearner):
    """For each fold, the simplest candidate about as good as the best on the other folds.

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
    candidates : dict of str to MetaLearner
        Unfitted; they are cloned.
    top_k : int
        Tags of an ad that enter GAP's list.
    progress : Progress or None
        Is told how far the cross-fits have come.
    n_jobs : int
        Cross-fits at a time, each in a process of its own; it changes nothing but the time taken.

    Attributes
    ----------
    gaps_ : dict of str to float
        Each working candidate's OOF GAP on all ads, which the choice does not see.
    inner_gaps_ : dict of str to list of float
        Each working candidate's OOF GAP without fold k, for every k; an empty list where there is
        but one candidate.
    inner_errors_ : dict of str to list of float
        Standard error of the difference between each of these and the highest without fold k.
    chosen_ : list of str
        The candidate that predicts each fold.
    failed_ : dict of str to str
        Why each other candidate failed.
    """

    def __init__(
        self,
        candidates: dict[str, MetaLearner],
        top_k: int = 20,
        progress: Progress | None = None,
        n_jobs: int = 1,
    ) -> None:
        self.candidates = candidates
        self.top_k = top_k
        self.progress = progress
        self.n_jobs = n_jobs

    def cross_fit(self, data: StackInput, n_jobs: int = 1) -> StackOutput:
        """Predict every fold by the candidate chosen on the other folds, and the test ads.

        Raises
        ------
        ModelError
            If there are fewer than three folds to choose with, or every candidate fails.
        """
        choose = len(self.candidates) > 1
        if choose and len(data.folds) < 3:
            raise ModelError(
                "Choosing among meta-learners needs three folds or more, for those that are left "
                f"when one is held out are folds again; got the folds {data.folds}. Make the folds "
                "again with n = 3 or more."
            )
        outputs = self._outputs(data, data.folds if choose else [])
        if not outputs:
            reasons = "\n".join(f"  {name}: {reason}" for name, reason in self.failed_.items())
            raise ModelError(f"Every meta-learner failed:\n{reasons}")
        return self._gated(data, outputs)

    def _outputs(self, data: StackInput, apart: list[int]) -> dict[str, StackOutput]:
        """What each working candidate predicts for all ads; sets what is known of all of them."""
        from joblib import Parallel, delayed, parallel_config

        progress = self.progress or Progress()
        tasks = [(name, k) for name in self.candidates for k in range(-1, len(apart))]
        n_jobs = min(effective_n_jobs(self.n_jobs), len(tasks))
        threads = {"inner_max_num_threads": 1} if n_jobs > 1 else {}
        outputs: dict[str, StackOutput] = {}
        attempted: dict[str, dict[int, _Attempt]] = {name: {} for name in self.candidates}
        self.failed_: dict[str, str] = {}
        with parallel_config("loky" if n_jobs > 1 else "sequential", n_jobs=n_jobs, **threads):
            attempts = Parallel(return_as="generator_unordered", batch_size=1)(
                delayed(_attempt)(name, self.candidates[name], k, data, self.top_k)
                for name, k in tasks
            )
            for done, one in enumerate(attempts, start=1):
                progress.update("level 2", done, len(tasks), one.name)
                attempted[one.name][one.k] = one._replace(output=None)
                if one.failure:
                    self.failed_.setdefault(one.name, one.failure)
                elif one.output is not None:
                    outputs[one.name] = one.output
        working = [name for name in self.candidates if name not in self.failed_]
        self.gaps_ = {name: attempted[name][-1].gap for name in working}
        self.inner_gaps_ = {
            name: [attempted[name][k].gap for k in range(len(apart))] for name in working
        }
        self.inner_errors_: dict[str, list[float]] = {name: [] for name in working}
        for k in range(len(apart) if working else 0):
            best = max((attempted[name][k] for name in working), key=lambda one: one.gap)
            for name in working:
                difference = attempted[name][k].resampled - best.resampled
                self.inner_errors_[name].append(float(difference.std(ddof=1)))
        return {name: outputs[name] for name in working}

    def _choice(self, k: int) -> str:
        """Name of the candidate that predicts the fold at place k."""
        gaps = {name: of_fold[k] for name, of_fold in self.inner_gaps_.items()}
        best = max(gaps.values())
        kept = [name for name in gaps if gaps[name] >= best - self.inner_errors_[name][k]]
        return min(kept, key=lambda name: (self.candidates[name].complexity, -gaps[name]))

    def _gated(self, data: StackInput, outputs: dict[str, StackOutput]) -> StackOutput:
        n_ads, n_tags = data.labels.shape
        oof = np.empty((n_ads, n_tags), dtype=np.float32)
        fold_test = np.empty((len(data.folds), len(data.test), n_tags), dtype=np.float32)
        self.chosen_: list[str] = []
        for k, fold in enumerate(data.folds):
            name = self._choice(k) if len(self.candidates) > 1 else next(iter(outputs))
            held_out = data.fold == fold
            oof[held_out] = outputs[name].oof[held_out]
            fold_test[k] = outputs[name].fold_test[k]
            self.chosen_.append(name)
        return StackOutput(oof, fold_test)


def without_fold(data: StackInput, fold: int) -> StackInput:
    """Return what a meta-learner may see where the ads of `fold`, and the test ads, do not exist.

    Parameters
    ----------
    data : StackInput
    fold : int

    Returns
    -------
    StackInput
        The rest of the training ads, in the folds they had, and no test ads.
    """
    rest = data.fold != fold
    return replace(
        data,
        train=data.train[rest],
        test=data.test[:0],
        train_metadata=data.train_metadata[rest],
        test_metadata=data.test_metadata[:0],
        train_missing=data.train_missing[rest],
        test_missing=data.test_missing[:0],
        labels=data.labels[rest],
        fold=data.fold[rest],
    )


class _Attempt(NamedTuple):
    """One cross-fit of a candidate: without fold k, or with all ads (k = -1)."""

    name: str
    k: int
    gap: float = 0.0
    resampled: np.ndarray = np.empty(0)  # GAPs; the same draws for every candidate without fold k
    output: StackOutput | None = None
    failure: str = ""


def _attempt(name: str, candidate: MetaLearner, k: int, data: StackInput, top_k: int) -> _Attempt:
    try:
        data = data if k == -1 else without_fold(data, data.folds[k])
        n_ads, n_tags = data.labels.shape
        output = clone(candidate).cross_fit(data, n_jobs=1)
        check_probabilities(name, output.oof, (n_ads, n_tags))
        for test in output.fold_test:
            check_probabilities(name, test, (len(data.test), n_tags))
        if k == -1:
            return _Attempt(name, k, gap(data.labels, output.oof, top_k), output=output)
        found = resampled(data.labels, output.oof, top_k, N_RESAMPLES, seed=0)
        return _Attempt(name, k, found.value, found.resamples)
    except Exception as bad:  # whatever stops one candidate must not stop the others
        return _Attempt(name, k, failure=_reason(bad))


def _reason(bad: Exception) -> str:
    return str(bad) if isinstance(bad, CompetitionError) else f"{type(bad).__name__}: {bad}"
