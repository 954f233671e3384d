"""Of hundreds of level-1 models the few dozen that a costly meta-learner is shown.

With 500 models most say what others say, and a learner that bends or weighs each of them would take
hours and fit noise. So they are chosen first, by forward selection in a linear regression of the
labels on the models' logits (orthogonal matching pursuit; Pati, Rezaiifar and Krishnaprasad 1993):
each step takes the model that explains most of what those before it left. One Gram matrix over a
sample of ads is all that it needs, whatever the number of steps.
"""

import numpy as np

from competition.level2.components.logits import to_logits
from competition.level2.data import StackData, check_range

MANY = 40  # models: of more, a meta-learner is shown a choice
SHOWN = 24
CELLS = 60_000  # ads x tags of the sample
RIDGE = 1e-3  # of a cell: copies of one model share their weight


def preselected(data: StackData) -> tuple[int, ...]:
    """Choose level-1 models by the training ads alone.

    Parameters
    ----------
    data : StackData
        Of the training ads of a meta-learner, with more than 40 models.

    Raises
    ------
    ModelError
        If a level-1 probability is not a number between 0 and 1.

    Returns
    -------
    tuple of int
        Positions of 24 models, ascending.
    """
    check_range(data.ads, "training", data.models)
    n_ads, n_models, n_tags = data.ads.shape
    n_rows = min(n_ads, max(1, CELLS // n_tags))
    rows = np.linspace(0, n_ads - 1, n_rows).astype(np.intp)
    gram = np.zeros((n_models + 1, n_models + 1), dtype=np.float64)
    logits = to_logits(data.ads.read(rows))
    labels = data.labels[rows].astype(np.float32)
    for tag in range(n_tags):
        columns = np.column_stack([logits[:, :, tag], labels[:, tag]])
        columns -= columns.mean(axis=0)
        gram += columns.T @ columns
    spread = np.sqrt(np.diag(gram))
    scale = np.where(spread > 1e-6 * spread[:-1].max(), spread, np.inf)  # constants are not taken
    scaled = gram / np.outer(scale, scale)
    return tuple(sorted(_pursued(scaled[:-1, :-1], scaled[:-1, -1], SHOWN)))


def _pursued(gram: np.ndarray, target: np.ndarray, most: int) -> list[int]:
    """Take one model after the other; `gram` and `target` are correlations."""
    taken: list[int] = []
    left = target
    for _ in range(most):
        gains = np.abs(left)
        gains[taken] = -1.0
        taken.append(int(np.argmax(gains)))
        inner = gram[np.ix_(taken, taken)] + RIDGE * np.eye(len(taken))
        left = target - gram[:, taken] @ np.linalg.solve(inner, target[taken])
    return taken
