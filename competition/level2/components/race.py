"""Which costly candidates keep up with the others, and are worth the rest of their fits."""

from collections.abc import Mapping, Sequence

from competition.level2.components.blend import predicted, rows_of, scores_and_errors
from competition.level2.data import StackData
from competition.level2.kept import Attempt, Place

FAR = 2.0  # standard errors below the best


def ring(n_folds: int) -> list[tuple[int, int]]:
    """Each fold with its neighbour, the last with the first: places in ascending order."""
    pairs = [(place, (place + 1) % n_folds) for place in range(n_folds)]
    return sorted({(min(pair), max(pair)) for pair in pairs})


def outrun(
    racing: Sequence[str], held_out: Mapping[str, Mapping[Place, Attempt]], data: StackData
) -> list[set[str]]:
    """Name for each fold the candidates that are more than two standard errors below the best.

    For fold k that is measured on its two neighbours alone, as predicted without fold k: no label
    of fold k takes a candidate out of the race for fold k, or keeps it in.

    Parameters
    ----------
    racing : sequence of str
        Candidates that may be taken out.
    held_out : mapping of str to mapping
        Of every candidate that works what it predicts when fitted without each pair of `ring`.
    data : StackData
    """
    runs = [name for name in racing if name in held_out]
    n_folds = len(data.folds)
    found: list[set[str]] = []
    for place in range(n_folds):
        if not runs:
            found.append(set())
            continue
        others = sorted({(place - 1) % n_folds, (place + 1) % n_folds} - {place})
        rows = rows_of(data, others)
        group = None if data.group is None else data.group[rows]
        oof = {name: predicted(place, others, of_name) for name, of_name in held_out.items()}
        scores, errors = scores_and_errors(oof, data.labels[rows], group, data)
        best = max(scores.values())
        found.append({name for name in runs if scores[name] < best - FAR * errors[name]})
    return found
