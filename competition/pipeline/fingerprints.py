"""What predictions are made from: ads, labels, folds, inputs, parameters and source code."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from competition.datasets.base import AdDataset
from competition.evaluation.chosen_metric import metric_digest
from competition.features.columns import Column, content_digest
from competition.folds import Folds
from competition.oof.fold_files import Fingerprint, shared_components
from competition.oof.scales import Scale
from competition.pipeline.plan import PlannedModel
from competition.pipeline.stack_input import missing_inputs
from competition.utils.files import digest, file_digest
from competition.utils.source_digest import source_digest

# What fits any level-1 model, any meta-learner, and what joins and scores their folds. Modules
# that these import are followed.
LEVEL1 = "competition.pipeline.crossfit"
LEVEL2 = ("competition.pipeline.stack_input", "competition.level2.selection")
CALIBRATED_BY = "competition.oof.scales"
SCORED_BY = "competition.oof.store"
STACK_SCORED_BY = "competition.pipeline.stack_checks"


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
            **shared_components(dataset, folds),
            "inputs": digest([[column.name, column.fingerprint] for column in columns]),
            "parameters": digest(planned.model, planned.params, seed),
            "files": digest([[path.name, file_digest(path)] for path in sorted(files)]),
            "source": source_digest(LEVEL1, *modules),
        },
        _scoring(dataset, SCORED_BY),
    )


def file_fingerprint(
    oof: Path, test: Path | None, scale: Scale, dataset: AdDataset, folds: Folds
) -> Fingerprint:
    """Fingerprint of a level-1 model whose predictions come from files."""
    files = [file_digest(path) for path in (oof, test) if path is not None]
    return Fingerprint(
        {
            **shared_components(dataset, folds),
            "file": digest(files),
            "scale": digest(scale, source_digest(CALIBRATED_BY)),
        },
        _scoring(dataset, SCORED_BY),
    )


def stack_fingerprint(
    level1: dict[str, str],
    learners: dict[str, tuple[str, dict[str, Any]]],
    metadata: list[str],
    dataset: AdDataset,
    folds: Folds,
    metric: str = "gap",
) -> Fingerprint:
    """Fingerprint of a meta-learner, or of the choice among several, over level-1 models.

    Parameters
    ----------
    level1 : dict of str to str
        Fingerprint of each level-1 model, in the order in which the meta-learner sees them.
    learners : dict of str to (str, dict)
        Module and parameters of each meta-learner.
    metadata : list of str
        Columns that they see.
    dataset : AdDataset
    folds : Folds
    metric : str
        What is to be best.
    """
    modules = [module for module, _ in learners.values()]
    groups = dataset.groups
    return Fingerprint(
        {
            **shared_components(dataset, folds),
            "level-1 models": digest(list(level1.items())),
            "metadata": digest([[name, content_digest(dataset.ads[name])] for name in metadata]),
            "missing inputs": digest(
                [[one.name, one.columns] for one in dataset.inputs.values()],
                missing_inputs(dataset).to_numpy().tobytes(),
            ),
            "groups": digest(None if groups is None else [str(group) for group in groups]),
            "meta-learners": digest(list(learners)),
            "parameters": digest([params for _, params in learners.values()]),
            "top_k": digest(dataset.submission.top_k),
            "metric": metric_digest(metric),
            "source": source_digest(*LEVEL2, *modules),
        },
        _scoring(dataset, SCORED_BY, STACK_SCORED_BY),
    )


def _scoring(dataset: AdDataset, *modules: str) -> str:
    """Digest of what joins and scores folds."""
    return digest(source_digest(*modules), dataset.submission.top_k)
