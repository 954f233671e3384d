"""One trial: its score, fold by fold, and how the best of a study is told."""

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

from competition.datasets.base import AdDataset
from competition.evaluation.chosen_metric import CALLED, metric_of
from competition.tuning.study import complete, is_start
from competition.tuning.targets import Tunable

if TYPE_CHECKING:
    from optuna import Study, Trial


def best_so_far(study: "Study", metric: str) -> str:
    best = max((trial.values[0] for trial in complete(study)), default=None)
    return "" if best is None else f"best {CALLED.get(metric, metric)} {best:.4f}; "


def score_of(
    trial: "Trial",
    tunable: Tunable,
    dataset: AdDataset,
    metric: str,
    report: Callable[[str], None],
) -> float:
    """Score a trial fold by fold; stop where it lags behind, unless it is the first."""
    from optuna import TrialPruned

    labels, top_k, judge = dataset.labels, dataset.submission.top_k, metric_of(metric)
    values = np.zeros(labels.shape, dtype=np.float32)
    done = np.zeros(len(labels), dtype=bool)
    score = 0.0
    report(f"trial {trial.number}")
    with closing(tunable.oof(tunable.space(trial))) as pieces:
        for step, (ads, probabilities) in enumerate(pieces):
            values[ads] = probabilities
            done |= ads
            if not labels[done].any():
                continue
            score = judge(labels[done], values[done], top_k)
            trial.report(score, step)
            report(f"trial {trial.number}: {score:.4f} on {done.sum():,} of {len(done):,} ads")
            if not done.all() and not is_start(trial) and trial.should_prune():
                raise TrialPruned
    return score
