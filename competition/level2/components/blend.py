"""A mean of meta-learners on one scale, weighed by how near each comes to the best."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from competition.evaluation.chosen_metric import looks_at_values, metric_of, resampled_metric
from competition.level2.components.logits import enough, to_logits
from competition.level2.components.scale import ToReference, to_reference
from competition.level2.data import StackData
from competition.level2.kept import Attempt, Place

# Enough for a standard error that is 10 % off (Efron and Tibshirani 1993, section 6.4: 50 to 200).
N_RESAMPLES = 50
LEAST = 0.01  # candidates of a smaller share weigh nothing
FLOOR = 1e-6  # of probabilities, as logits are averaged


@dataclass(frozen=True, eq=False)
class Blend:
    """What predicts a fold: candidates, each on the scale of the mean level-1 probability.

    Where the metric looks at values and not only at their order, each stays on its own scale, the
    one that it was weighed on.

    Attributes
    ----------
    weights : dict of str to float
        Of the candidates that weigh anything; they sum to 1.
    curves : dict of str to ToReference
        Of the same candidates; empty where each stays on its own scale.
    scores, errors : dict of str to float
        Of every candidate: its score on the ads of the other folds, and the standard error of the
        difference to the highest.
    """

    weights: dict[str, float]
    curves: dict[str, ToReference]
    scores: dict[str, float]
    errors: dict[str, float]

    def mean(self, probabilities: Mapping[str, np.ndarray]) -> np.ndarray:
        """Mean of the candidates' logits, as probabilities, float32.

        Parameters
        ----------
        probabilities : mapping of str to ndarray of shape (n_ads, n_tags)
            Of each candidate that weighs anything.
        """
        from scipy.special import expit

        def scaled(name: str) -> np.ndarray:
            curve, values = self.curves.get(name), probabilities[name]
            return np.asarray(values, dtype=np.float32) if curve is None else curve(values)

        if len(self.weights) == 1:
            return scaled(*self.weights)
        total = np.zeros(next(iter(probabilities.values())).shape)
        for name, weight in self.weights.items():
            total += weight * to_logits(scaled(name), FLOOR)
        return np.asarray(expit(total), dtype=np.float32)


def fold_blend(
    place: int,
    held_out: Mapping[str, Mapping[Place, Attempt]],
    behind: Collection[str],
    simple: Sequence[str],
    data: StackData,
) -> Blend:
    """Weigh the candidates for a fold by their predictions of the other folds, made without it.

    Parameters
    ----------
    place : int
        Of the fold.
    held_out : mapping of str to mapping
        Of each candidate what it predicts when fitted without each pair of folds.
    behind : collection of str
        Candidates that weigh nothing here.
    simple : sequence of str
        Candidates that stand alone where the mean scores less than the best of them. Where the
        metric looks at values all candidates are such: a mean may leave the scale that made them
        good.
    data : StackData
    """
    others = [one for one in range(len(data.folds)) if one != place]
    rows = rows_of(data, others)
    labels, group = data.labels[rows], None if data.group is None else data.group[rows]
    oof = {name: predicted(place, others, of_name) for name, of_name in held_out.items()}
    runs = {name: of_name for name, of_name in oof.items() if name not in behind}
    scores, errors = scores_and_errors(runs, labels, group, data)
    weights = _weights(scores, list(errors.values()))
    if len(runs) < len(oof):  # what is behind is told, and changes nothing
        of_all = scores_and_errors(oof, labels, group, data)
        scores, errors = of_all[0] | scores, of_all[1] | errors
    some = enough(len(rows))
    reference = data.ads.read(rows[some]).mean(axis=1)
    curves = {name: to_reference(oof[name][some], reference) for name in weights}
    by_value = labels.any() and any(
        looks_at_values(data.metric, labels, oof[name], data.top_k) for name in weights
    )
    if by_value:
        curves, simple = {}, list(weights)
    blend = Blend(weights, curves, scores, errors)
    best = max(simple, key=lambda name: scores[name], default=None)
    if best is not None:
        mean = blend.mean({name: oof[name] for name in weights})
        if metric_of(data.metric)(labels, mean, data.top_k) < scores[best]:
            alone = {}
            if not by_value:
                alone[best] = curves.get(best) or to_reference(oof[best][some], reference)
            return Blend({best: 1.0}, alone, scores, errors)
    return blend


def rows_of(data: StackData, places: Sequence[int]) -> np.ndarray:
    """Positions of the ads of some folds, fold by fold."""
    return np.concatenate([np.flatnonzero(data.fold == data.folds[one]) for one in places])


def predicted(place: int, others: Sequence[int], held_out: Mapping[Place, Attempt]) -> np.ndarray:
    """What a candidate, fitted without the fold at `place`, predicts for others, fold by fold."""
    parts = []
    for other in others:
        low, high = min(place, other), max(place, other)
        parts.append(held_out[low, high].held_out[0 if other == low else 1])
    return np.concatenate(parts)


def scores_and_errors(
    oof: Mapping[str, np.ndarray], labels: np.ndarray, group: np.ndarray | None, data: StackData
) -> tuple[dict[str, float], dict[str, float]]:
    """Score of each candidate, and the standard error of the difference to the highest."""
    if not labels.any():
        return dict.fromkeys(oof, 0.0), dict.fromkeys(oof, 0.0)
    found = {
        name: resampled_metric(data.metric, labels, one, data.top_k, N_RESAMPLES, group)
        for name, one in oof.items()
    }
    best = max(found.values(), key=lambda one: one.value)
    return (
        {name: one.value for name, one in found.items()},
        {name: float((one.resamples - best.resamples).std(ddof=1)) for name, one in found.items()},
    )


def _weights(scores: Mapping[str, float], errors: Sequence[float]) -> dict[str, float]:
    """Shares that fall by a factor e with each standard error below the best."""
    some = [error for error in errors if error > 0]
    spread = float(np.median(some)) if some else 1.0
    best = max(scores.values())
    raw = {name: float(np.exp((score - best) / spread)) for name, score in scores.items()}
    total = sum(raw.values())
    kept = {name: weight for name, weight in raw.items() if weight >= LEAST * total}
    total = sum(kept.values())
    return {name: weight / total for name, weight in kept.items()}
