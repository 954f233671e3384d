"""Which costly candidates keep up with the others, and are worth the rest of their fits."""

from collections.abc import Collection, Mapping, Sequence

from competition.level2.components.blend import predicted, rows_of, scores_and_errors
from competition.level2.data import StackData
from competition.level2.kept import Attempt, Place

FAR = 2.0  # standard errors below the best

Standing = tuple[dict[str, float], dict[str, float]]  # scores, and errors of their differences


def ring(n_folds: int) -> list[tuple[int, int]]:
    """Each fold with its neighbour, the last with the first: places in ascending order."""
    pairs = [(place, (place + 1) % n_folds) for place in range(n_folds)]
    return sorted({(min(pair), max(pair)) for pair in pairs})


def standings(
    held_out: Mapping[str, Mapping[Place, Attempt]], data: StackData, behind: Sequence[set[str]]
) -> list[Standing]:
    """Scores for each fold, on its two neighbours alone, as predicted without the fold.

    No label of a fold shows in its scores.

    Parameters
    ----------
    held_out : mapping of str to mapping
        Of every candidate that works what it predicts when fitted without each pair of `ring`.
    data : StackData
    behind : sequence of set of str
        Candidates that are out of the race for each fold already.
    """
    n_folds = len(data.folds)
    found = []
    for place in range(n_folds):
        others = sorted({(place - 1) % n_folds, (place + 1) % n_folds} - {place})
        rows = rows_of(data, others)
        group = None if data.group is None else data.group[rows]
        oof = {
            name: predicted(place, others, of_name)
            for name, of_name in held_out.items()
            if name not in behind[place]
        }
        found.append(scores_and_errors(oof, data.labels[rows], group, data) if oof else ({}, {}))
    return found


def outrun(racing: Collection[str], standing: Standing) -> set[str]:
    """Name the candidates that are more than two standard errors below the best.

    Parameters
    ----------
    racing : collection of str
        Candidates that may be taken out.
    standing : Standing
    """
    scores, errors = standing
    best = max(scores.values(), default=0.0)
    return {name for name in scores if name in racing and scores[name] < best - FAR * errors[name]}
