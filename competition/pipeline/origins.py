"""What features and level-1 models are made from, in a few words for cards and tables."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from competition.datasets.base import AdDataset
from competition.pipeline.plan import PlannedFeature

OWN_ARRAYS = "own arrays"
FROM_SCRATCH = "from scratch"
ELSEWHERE = "elsewhere"

# Parameters of an extractor that name a network that others have trained.
_NAMING = ("checkpoint", "weights", "engine")


def made_by(feature: PlannedFeature) -> str:
    """Name the pre-trained network that makes a feature; "" where none does."""
    if feature.entry.name == "npy":
        return OWN_ARRAYS
    named = (getattr(feature.extractor, parameter, "") for parameter in _NAMING)
    network = shown(next((str(value) for value in named if value), ""))
    if feature.keeps and feature.entry.gives == "array":
        return f"{OWN_ARRAYS}, {network}" if network else OWN_ARRAYS
    return network


def origin(params: dict[str, Any], columns: Iterable[str], dataset: AdDataset) -> str:
    """Say what a level-1 model starts from.

    Parameters
    ----------
    params : dict
        Its parameters: a `checkpoint` is fine-tuned.
    columns : iterable of str
        Columns that it reads.
    dataset : AdDataset
        With the features that were extracted.

    Returns
    -------
    str
        Names of the checkpoints, of its own and of what has made its inputs; "own arrays" for
        vectors that the ads came with; "from scratch" where it learns from these ads alone.
    """
    input_of = {column: given for given in dataset.inputs.values() for column in given.columns}
    parts = [shown(str(params.get("checkpoint", "")))]
    parts += [input_of[column].made_by for column in columns if column in input_of]
    return ", ".join(dict.fromkeys(part for part in parts if part)) or FROM_SCRATCH


def shown(checkpoint: str) -> str:
    """Return a hub name as it is, and the last part of a path."""
    path = Path(checkpoint).expanduser()
    is_path = path.is_absolute() or checkpoint[:1] in (".", "~") or path.exists()
    return path.resolve().name if is_path and checkpoint else checkpoint
