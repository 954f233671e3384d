"""What predictions are made from: ads, labels, folds, inputs, parameters and source."""

from typing import Any

from competition.config import PlannedModel
from competition.datasets.base import AdDataset
from competition.features.columns import Column, content_digest
from competition.files import digest
from competition.folds import Folds
from competition.oof_files import Fingerprint
from competition.source import source_digest


def _shared_parts(dataset: AdDataset, folds: Folds) -> dict[str, str]:
    return {
        "ads": digest(list(dataset.train_ids), list(dataset.test_ids)),
        "labels": digest(dataset.tag_names, dataset.labels.tobytes()),
        "folds": folds.fingerprint,
    }


def level1_fingerprint(
    planned: PlannedModel,
    module: str,
    columns: tuple[Column, ...],
    seed: int,
    dataset: AdDataset,
    folds: Folds,
) -> Fingerprint:
    """Fingerprint of a level-1 model whose code lies in `module`."""
    return Fingerprint(
        {
            **_shared_parts(dataset, folds),
            "inputs": digest([[column.name, column.fingerprint] for column in columns]),
            "parameters": digest(planned.model, planned.params, seed),
            "source": source_digest(module),
        }
    )


def stack_fingerprint(
    level1: dict[str, str],
    module: str,
    params: dict[str, Any],
    facts: list[str],
    dataset: AdDataset,
    folds: Folds,
) -> Fingerprint:
    """Fingerprint of a meta-learner over level-1 models given with their fingerprints."""
    return Fingerprint(
        {
            **_shared_parts(dataset, folds),
            "level-1 models": digest(list(level1.items())),
            "metadata": digest([[fact, content_digest(dataset.ads[fact])] for fact in facts]),
            "parameters": digest(params),
            "source": source_digest(module),
        }
    )
