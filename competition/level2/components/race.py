"""Which costly candidates keep up with the others, and are worth the rest of their fits."""

from collections.abc import Collection, Mapping, Sequence

from competition.level2.components.blend import predicted, rows_of, scores_and_errors
from competition.level2.data import StackData
from competition.level2.kept import Attempt, Place

FAR = 2.0  # standard errors below the best
FAR_BY_ONE = 3.0  # the same, where each fold has seen but one neighbour

Standing = tuple[dict[str, float], dict[str, float]]  # scores, and errors of their differences


def ring(n_folds: int) -> list[tuple[int, int]]:
    """Each fold with its neighbour, the last with the first: places in ascending order."""
    pairs = [(place, (place + 1) % n_folds) for place in range(n_folds)]
    return sorted({(min(pair), max(pair)) for pair in pairs})


def couples(n_folds: int) -> list[tuple[int, int]]:
    """Return the fewest pairs of `ring` that every fold is in."""
    pairs = [(place, place + 1) for place in range(0, n_folds - 1, 2)]
    return sorted(pairs + ([(0, n_folds - 1)] if n_folds % 2 else []))


def standings(
    held_out: Mapping[str, Mapping[Place, Attempt]],
    data: StackData,
    behind: Sequence[set[str]],
    pairs: Sequence[tuple[int, int]],
) -> list[Standing]:
    """Scores for each fold, on its neighbours in the pairs alone, as predicted without the fold.

    No label of a fold shows in its scores.

    Parameters
    ----------
    held_out : mapping of str to mapping
        Of every candidate that works what it predicts when fitted without each of the pairs.
    data : StackData
    behind : sequence of set of str
        Candidates that are out of the race for each fold already.
    pairs : sequence of (int, int)
        `ring` or `couples`.
    """
    found = []
    for place in range(len(data.folds)):
        others = sorted({one for pair in pairs if place in pair for one in pair} - {place})
        rows = rows_of(data, others)
        group = None if data.group is None else data.group[rows]
        oof = {
            name: predicted(place, others, of_name)
            for name, of_name in held_out.items()
            if name not in behind[place]
        }
        found.append(scores_and_errors(oof, data.labels[rows], group, data) if oof else ({}, {}))
    return found


def outrun(racing: Collection[str], standing: Standing, far: float = FAR) -> set[str]:
    """Name the candidates that are more than so many standard errors below the best.

    Parameters
    ----------
    racing : collection of str
        Candidates that may be taken out.
    standing : Standing
    far : float
    """
    scores, errors = standing
    best = max(scores.values(), default=0.0)
    return {name for name in scores if name in racing and scores[name] < best - far * errors[name]}
