"""What predictions are made from: ads, labels, folds, inputs, parameters and source."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from competition.datasets.base import AdDataset
from competition.features.columns import Column, content_digest
from competition.folds import Folds
from competition.oof.fold_files import Fingerprint
from competition.pipeline.plan import PlannedModel
from competition.utils.files import digest, file_digest
from competition.utils.source_digest import source_digest

GATE = "competition.level2.selection"
# What every meta-learner's input goes through.
INPUT = ("competition.pipeline.stack_input", "competition.evaluation.fold_offsets")


def shared_parts(dataset: AdDataset, folds: Folds) -> dict[str, str]:
    """Return the parts that all predictions for a dataset on one set of folds have in common."""
    return {
        "ads": digest(list(dataset.train_ids), list(dataset.test_ids)),
        "labels": digest(
            [[tag.name, tag.dimension] for tag in dataset.tags], dataset.labels.tobytes()
        ),
        "folds": folds.fingerprint,
    }


def level1_fingerprint(
    planned: PlannedModel,
    modules: Sequence[str],
    columns: tuple[Column, ...],
    files: Sequence[Path],
    seed: int,
    dataset: AdDataset,
    folds: Folds,
) -> Fingerprint:
    """Fingerprint of a level-1 model whose code lies in `modules`, and that reads `files`."""
    return Fingerprint(
        {
            **shared_parts(dataset, folds),
            "inputs": digest([[column.name, column.fingerprint] for column in columns]),
            "parameters": digest(planned.model, planned.params, seed),
            "files": digest([[path.name, file_digest(path)] for path in sorted(files)]),
            "source": digest([source_digest(module) for module in modules]),
        }
    )


def file_fingerprint(oof: Path, test: Path | None, dataset: AdDataset, folds: Folds) -> Fingerprint:
    """Fingerprint of a level-1 model whose predictions come from files."""
    files = [file_digest(path) for path in (oof, test) if path is not None]
    return Fingerprint({**shared_parts(dataset, folds), "file": digest(files)})


def stack_fingerprint(
    level1: dict[str, str],
    module: str,
    params: dict[str, Any],
    metadata: list[str],
    dataset: AdDataset,
    folds: Folds,
) -> Fingerprint:
    """Fingerprint of a meta-learner over level-1 models given with their fingerprints."""
    return Fingerprint(
        {
            **shared_parts(dataset, folds),
            "level-1 models": digest(list(level1.items())),
            "metadata": _metadata_digest(dataset, metadata),
            "parameters": digest(params),
            "source": digest([source_digest(one) for one in (*INPUT, module)]),
        }
    )


def gate_fingerprint(
    level1: dict[str, str],
    candidates: dict[str, tuple[str, dict[str, Any]]],
    metadata: list[str],
    dataset: AdDataset,
    folds: Folds,
) -> Fingerprint:
    """Fingerprint of the gate over level-1 models given with their fingerprints.

    Each candidate is given with the module of its code and its parameters.
    """
    modules = [*INPUT, GATE, *(module for module, _ in candidates.values())]
    return Fingerprint(
        {
            **shared_parts(dataset, folds),
            "level-1 models": digest(list(level1.items())),
            "metadata": _metadata_digest(dataset, metadata),
            "candidates": digest(list(candidates)),
            "parameters": digest(
                [params for _, params in candidates.values()], dataset.submission.top_k
            ),
            "source": digest([source_digest(module) for module in modules]),
        }
    )


def _metadata_digest(dataset: AdDataset, metadata: list[str]) -> str:
    return digest([[fact, content_digest(dataset.ads[fact])] for fact in metadata])
