"""What the stack and every model know of each tag."""

from dataclasses import dataclass

import numpy as np

from competition.evaluation.metrics import average_precisions
from competition.report.score_bins import ScoreBins
from competition.report.shown import Shown

CONFUSIONS = 2  # tags that are named in a tag's stead
FEWEST = 2  # ads that make a confusion


@dataclass(frozen=True)
class TagRow:
    """One tag.

    Attributes
    ----------
    name, dimension : str
    n_ads : int
        Training ads that carry it, all of them counted.
    precision : float
        Average precision of the stack; NaN where no measured ad carries it.
    by_model : tuple of float
        Average precision of each model.
    best : str
        The model with the highest; "" where none is known.
    gain : float
        What the stack has above that.
    threshold : float
        The probability from which on the tag is predicted so that F1 is highest; NaN where no
        measured ad carries it.
    p, r : float
        Precision and recall where each fold takes the threshold of the other folds.
    instead : tuple of (str, int)
        Wrong tags of the same dimension that are predicted where this one is missed, and how often.
    """

    name: str
    dimension: str
    n_ads: int
    precision: float
    by_model: tuple[float, ...]
    best: str
    gain: float
    threshold: float
    p: float
    r: float
    instead: tuple[tuple[str, int], ...]


def tag_rows(shown: Shown, bins: ScoreBins) -> list[TagRow]:
    """Return a row for each tag, in the dataset's order."""
    labels, tags = shown.labels, shown.dataset.tags
    stack = average_precisions(labels, shown.oof)
    probabilities = shown.data.ads.probabilities
    models = np.array(
        [average_precisions(labels, probabilities[:, m]) for m in range(probabilities.shape[1])]
    )
    best = np.argmax(np.nan_to_num(models, nan=-1), axis=0)
    thresholds, precision, recall = bins.thresholds()
    instead = _instead(shown, thresholds)
    n_ads = shown.dataset.labels.sum(axis=0, dtype=np.int64)
    return [
        TagRow(
            tag.name,
            tag.dimension,
            int(n_ads[t]),
            float(stack[t]),
            tuple(models[:, t].tolist()),
            shown.data.models[best[t]] if np.isfinite(models[best[t], t]) else "",
            float(stack[t] - models[best[t], t]),
            float(thresholds[t]),
            float(precision[t]),
            float(recall[t]),
            instead[t],
        )
        for t, tag in enumerate(tags)
    ]


def _instead(shown: Shown, thresholds: np.ndarray) -> list[tuple[tuple[str, int], ...]]:
    """Count, for each tag, the wrong tags of its dimension that are predicted where it is missed.

    A tag's own threshold says what is predicted.
    """
    labels, tags = shown.labels, shown.dataset.tags
    predicted = shown.oof >= thresholds
    missed = (labels & ~predicted).astype(np.float32)
    wrong = (predicted & ~labels).astype(np.float32)
    dimensions = np.array([tag.dimension for tag in tags])
    counts = (missed.T @ wrong) * (dimensions[:, None] == dimensions)
    found: list[tuple[tuple[str, int], ...]] = []
    for t in range(len(tags)):
        most = np.argsort(-counts[t], kind="stable")[:CONFUSIONS]
        found.append(
            tuple((tags[u].name, int(counts[t, u])) for u in most if counts[t, u] >= FEWEST)
        )
    return found
