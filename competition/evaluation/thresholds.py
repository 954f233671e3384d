"""From probabilities to tags that are set: thresholds chosen on out-of-fold predictions.

A threshold of its own for each tag is best where a tag has many positives, and luck where it has
few. So each is drawn towards one that all tags have in common, the more the fewer positives its tag
has; in log odds, where a probability of 0.01 and one of 0.02 are as far apart as they are in ranks.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from competition.evaluation.metrics import f1_overall, f1_per_class
from competition.utils.errors import MetricError

Rule = Literal["f1", "precision", "tags"]
PULL = 10.0  # positives that the common threshold counts as
FLOOR = 1e-6
NEVER = 1.0  # a threshold that no probability exceeds


@dataclass(frozen=True)
class Decision:
    """How tags are set.

    Attributes
    ----------
    rule : {"f1", "precision", "tags"}
        The highest F1 of each tag; as many ads as can be with at least a precision of `value`; or
        the `value` most probable tags of each ad.
    value : float
    """

    rule: Rule = "f1"
    value: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "Decision":
        """Read ``f1``, ``precision=0.9`` or ``tags=3``.

        Raises
        ------
        MetricError
            If it says something else.
        """
        rule, _, value = text.partition("=")
        try:
            number = float(value) if value else 0.0
        except ValueError:
            number = -1.0
        if rule == "f1" and not value:
            return cls()
        if rule == "precision" and 0 < number < 1:
            return cls("precision", number)
        if rule == "tags" and number >= 1 and number.is_integer():
            return cls("tags", number)
        raise MetricError(f"{text!r} sets no tags: write f1, precision=0.9 or tags=3.")


@dataclass(frozen=True)
class Decided:
    """What set tags are worth, each fold by thresholds chosen without it.

    Attributes
    ----------
    f1_c, f1_o, precision, recall : tuple of float
        Mean over folds, and the standard deviation among folds. Precision and recall are over all
        decisions.
    """

    f1_c: tuple[float, float]
    f1_o: tuple[float, float]
    precision: tuple[float, float]
    recall: tuple[float, float]


def choose_thresholds(
    labels: np.ndarray, probabilities: np.ndarray, decision: Decision
) -> np.ndarray:
    """Choose the probability that a tag must exceed to be set.

    Parameters
    ----------
    labels : ndarray of shape (n_ads, n_tags)
    probabilities : ndarray of shape (n_ads, n_tags)
        Out of fold.
    decision : Decision

    Returns
    -------
    ndarray of shape (n_tags,), dtype float64
        1 for a tag that is never set; all 0 under the rule ``tags``, which needs none.
    """
    n_tags = labels.shape[1]
    if decision.rule == "tags":
        return np.zeros(n_tags)
    common = _best(labels.ravel() > 0, probabilities.ravel(), decision)
    thresholds = np.empty(n_tags)
    for tag in range(n_tags):
        there = labels[:, tag] > 0
        n = int(there.sum())
        own = _best(there, probabilities[:, tag], decision) if n else common
        if decision.rule == "precision" and own >= NEVER:
            thresholds[tag] = NEVER  # no threshold is precise enough: the common one is not either
            continue
        share = n / (n + PULL)
        thresholds[tag] = _probability(share * _logit(own) + (1 - share) * _logit(common))
    return thresholds


def set_tags(probabilities: np.ndarray, thresholds: np.ndarray, decision: Decision) -> np.ndarray:
    """Tell which tags of each ad are set: (n_ads, n_tags), bool."""
    if decision.rule != "tags":
        return probabilities > thresholds
    most = min(int(decision.value), probabilities.shape[1])
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :most]
    chosen = np.zeros(probabilities.shape, dtype=bool)
    np.put_along_axis(chosen, best, True, axis=1)
    return chosen


def score_decisions(
    labels: np.ndarray, probabilities: np.ndarray, fold: np.ndarray, decision: Decision
) -> Decided:
    """Score set tags: those of each fold by thresholds that the other folds have chosen.

    Parameters
    ----------
    labels : ndarray of shape (n_ads, n_tags)
    probabilities : ndarray of shape (n_ads, n_tags)
        Out of fold.
    fold : ndarray of shape (n_ads,)
    decision : Decision
    """
    found = []
    for one in np.unique(fold):
        held = fold == one
        thresholds = choose_thresholds(labels[~held], probabilities[~held], decision)
        chosen = set_tags(probabilities[held], thresholds, decision)
        given = labels[held] > 0
        both = (chosen & given).sum()
        found.append(
            (
                f1_per_class(given, chosen.astype(float)),
                f1_overall(given, chosen.astype(float)),
                both / max(chosen.sum(), 1),
                both / max(given.sum(), 1),
            )
        )
    values = np.array(found, dtype=float)
    spread = values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(4)
    pairs = [(float(m), float(s)) for m, s in zip(values.mean(axis=0), spread, strict=True)]
    return Decided(*pairs)


def _best(there: np.ndarray, probabilities: np.ndarray, decision: Decision) -> float:
    """Threshold of one list of decisions; it lies midway between two probabilities."""
    order = np.argsort(-probabilities, kind="stable")
    ranked, right = probabilities[order].astype(np.float64), there[order]
    hits = np.cumsum(right)
    set_so_far = np.arange(1, len(ranked) + 1)
    last = np.r_[ranked[1:] < ranked[:-1], True]  # where equal ones are all in
    if decision.rule == "f1":
        value = np.where(last, 2 * hits / (set_so_far + there.sum()), -1.0)
        place = int(np.argmax(value))
    else:
        enough = last & (hits / set_so_far >= decision.value)
        if not enough.any():
            return NEVER
        place = int(np.flatnonzero(enough)[-1])
    below = ranked[place + 1] if place + 1 < len(ranked) else 0.0
    return float((ranked[place] + below) / 2)


def _logit(probability: float) -> float:
    held = min(max(probability, FLOOR), 1 - FLOOR)
    return float(np.log(held / (1 - held)))


def _probability(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))
