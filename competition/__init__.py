"""Stacking of level-1 models over text, pictures and sound for multilabel ad tagging.

>>> import competition
>>> competition.gap([[1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8]])
1.0

What is named here is imported when it is first used, so that ``import competition`` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from competition.ablation.ablate import ablate
    from competition.config.profile import load_profile, load_stack_settings
    from competition.datasets import load_dataset
    from competition.datasets.base import AdDataset
    from competition.demo.make import make_demo
    from competition.evaluation.metrics import gap, mean_average_precision, score
    from competition.features.base import Extractor
    from competition.features.registry import extractor
    from competition.folds_file import load_or_make_folds
    from competition.level1.base import Level1Model
    from competition.level1.registry import level1_model
    from competition.level2.base import MetaLearner
    from competition.level2.registry import meta_learner
    from competition.pipeline.add_oof import add_oof
    from competition.pipeline.add_oof_folder import add_oof_folder
    from competition.pipeline.extract import extract
    from competition.pipeline.forecast import plan_run
    from competition.pipeline.label_errors import label_errors
    from competition.pipeline.run import run
    from competition.pipeline.stack import stack
    from competition.pipeline.stored import list_oof
    from competition.pipeline.stored_changes import remove_oof, rename_oof
    from competition.saved.save import save_stack
    from competition.saved.stack import load_stack
    from competition.tuning.search import tune
    from competition.utils.errors import CompetitionError

__version__ = "0.2.0.dev0"

__all__ = [
    "AdDataset",
    "CompetitionError",
    "Extractor",
    "Level1Model",
    "MetaLearner",
    "ablate",
    "add_oof",
    "add_oof_folder",
    "extract",
    "extractor",
    "gap",
    "label_errors",
    "level1_model",
    "list_oof",
    "load_dataset",
    "load_or_make_folds",
    "load_profile",
    "load_stack",
    "load_stack_settings",
    "make_demo",
    "mean_average_precision",
    "meta_learner",
    "plan_run",
    "remove_oof",
    "rename_oof",
    "run",
    "save_stack",
    "score",
    "stack",
    "tune",
]

_HOME = {
    "AdDataset": "datasets.base",
    "CompetitionError": "utils.errors",
    "Extractor": "features.base",
    "Level1Model": "level1.base",
    "MetaLearner": "level2.base",
    "ablate": "ablation.ablate",
    "add_oof": "pipeline.add_oof",
    "add_oof_folder": "pipeline.add_oof_folder",
    "extract": "pipeline.extract",
    "extractor": "features.registry",
    "gap": "evaluation.metrics",
    "label_errors": "pipeline.label_errors",
    "level1_model": "level1.registry",
    "list_oof": "pipeline.stored",
    "load_dataset": "datasets",
    "load_or_make_folds": "folds_file",
    "load_profile": "config.profile",
    "load_stack": "saved.stack",
    "load_stack_settings": "config.profile",
    "make_demo": "demo.make",
    "mean_average_precision": "evaluation.metrics",
    "meta_learner": "level2.registry",
    "plan_run": "pipeline.forecast",
    "remove_oof": "pipeline.stored_changes",
    "rename_oof": "pipeline.stored_changes",
    "run": "pipeline.run",
    "save_stack": "saved.save",
    "score": "evaluation.metrics",
    "stack": "pipeline.stack",
    "tune": "tuning.search",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
