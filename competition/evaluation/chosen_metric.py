"""What a stack is chosen by: GAP, or another metric that the user names."""

import importlib
import inspect
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from competition.evaluation.bootstrap import Resampled, resampled, resamples
from competition.evaluation.metrics import f1_per_class, gap, mean_average_precision
from competition.utils.errors import MetricError
from competition.utils.files import digest

Metric = Callable[[np.ndarray, np.ndarray, int], float]

# Of a metric that is computed anew for every resample: a standard error that is 15 % off.
FEW = 25

NAMED: dict[str, Metric] = {
    "gap": gap,
    "map": lambda labels, scores, top_k: mean_average_precision(labels, scores),
    "f1": lambda labels, scores, top_k: f1_per_class(labels, scores),
}
CALLED = {"gap": "GAP", "map": "mAP", "f1": "F1-C"}
RANKING = ("gap", "map")  # no rising curve over all scores changes them
POWERS = (0.5, 2.0)  # such curves, under which no two scores become equal
ROUNDED = 1e-3  # share by which they may change another ranking metric, which may round


def metric_of(name: str) -> Metric:
    """Return a metric of labels, scores and `top_k`; the higher, the better.

    Parameters
    ----------
    name : str
        "gap", "map" (mean over tags of average precision), "f1" (mean over tags of F1 at 0.5), or
        "module:function" of a function of labels and scores, both (n_ads, n_tags).

    Raises
    ------
    MetricError
        If there is no such metric.

    Examples
    --------
    >>> from competition.evaluation.chosen_metric import metric_of
    >>> round(metric_of("gap")([[1, 0], [0, 1]], [[0.9, 0.4], [0.7, 0.6]], 20), 4)
    0.8333
    """
    if name in NAMED:
        return NAMED[name]
    function = _own(name)

    def metric(labels: np.ndarray, scores: np.ndarray, top_k: int) -> float:
        try:
            value = float(function(labels.copy(), scores.copy()))  # which it may write into
        except (Exception, SystemExit) as bad:
            raise MetricError(f"The metric {name} failed: {type(bad).__name__}: {bad}") from bad
        if not math.isfinite(value):
            raise MetricError(
                f"The metric {name} gives {value} for {len(labels):,} ads. Let it give a finite "
                "number, also where a tag has no ad."
            )
        return value

    return metric


def looks_at_values(name: str, labels: np.ndarray, scores: np.ndarray, top_k: int) -> bool:
    """Whether a metric looks at scores themselves, as F1 at 0.5 does, and not only at their order.

    Parameters
    ----------
    name : str
        As `metric_of` takes it.
    labels, scores : ndarray of shape (n_ads, n_tags)
        Probabilities; where a metric is 0 for all that may become of them, they tell nothing.
    top_k : int
    """
    if name in RANKING:
        return False
    metric, scores = metric_of(name), scores.astype(np.float64)
    before = metric(labels, scores, top_k)
    moved = [metric(labels, scores**power, top_k) for power in POWERS]
    return any(abs(one - before) > ROUNDED * max(abs(one), abs(before)) for one in moved)


def metric_digest(name: str) -> str:
    """Digest of what a metric is: its name, and the source of the module of one's own."""
    if name in NAMED:
        return digest(name)
    module = inspect.getmodule(_own(name))
    try:
        source = "" if module is None else inspect.getsource(module)
    except (OSError, TypeError):  # no file of Python
        source = ""
    return digest([name, source])


def _own(name: str) -> Callable[[np.ndarray, np.ndarray], Any]:
    module, _, function = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:  # an installed command does not look there
        sys.path.append(here)
    try:
        found = getattr(importlib.import_module(module), function)
    except (Exception, SystemExit) as bad:  # whatever the user's module does
        raise MetricError(
            f"There is no metric {name!r} ({type(bad).__name__}: {bad}). Give gap, map, f1, or the "
            "import path of a function of labels and scores, as package.module:function."
        ) from bad
    if not callable(found):
        raise MetricError(f"The metric {name} is no function, but {found!r}.")
    return found


def resampled_metric(
    name: str,
    labels: np.ndarray,
    scores: np.ndarray,
    top_k: int,
    n: int,
    group: np.ndarray | None = None,
) -> Resampled:
    """Metric of all ads and of resamples of them; other scores get the same resamples.

    Parameters
    ----------
    name : str
        As `metric_of` takes it.
    labels, scores : ndarray of shape (n_ads, n_tags)
    top_k : int
    n : int
        Resamples; at most 25 for a metric other than GAP.
    group : ndarray of shape (n_ads,) or None
        Ads of one group are drawn together.
    """
    if name == "gap":
        return resampled(labels, scores, top_k, n, seed=0, group=group)
    metric, every = metric_of(name), np.arange(len(labels))
    draws = resamples(np.asarray(labels.any(axis=1)), min(n, FEW), 0, group)
    rows = [np.repeat(every, counts) for counts in draws]
    found = np.array([metric(labels[of], scores[of], top_k) for of in rows])
    return Resampled(metric(labels, scores, top_k), found)
