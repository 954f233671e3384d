"""Cards of models that were never fitted."""

from typing import Any

from competition import __version__
from competition.evaluation.bootstrap import Difference
from competition.evaluation.metrics import Scores
from competition.oof.cards import ExternalCard, Level1Card, StackCard


def scores(gap: float = 0.5, gap_folds: float = 0.5, mean: float = 0.5) -> Scores:
    return Scores(
        gap=gap,
        gap_folds=gap_folds,
        gap_by_dimension={"all": gap},
        map=mean,
        f1_c=0.5,
        f1_o=0.5,
        accuracy=0.5,
    )


def _common(model: str, **values: Any) -> dict[str, Any]:
    return {
        "model": model,
        "scores": scores(),
        "scores_per_fold": (scores(), scores()),
        "fold_offsets": (-1.0, -1.1),
        "seconds_per_fold": (1.0, 1.5),
        "seconds": 2.5,
        "written": "2026-01-02T03:04:05+00:00",
        "versions": {"competition": __version__},
        "fingerprint": f"of {model}",
        "made_from": {"ads": "a", "labels": "l", "folds": "f", "scoring": "s"},
        "files": {"oof.parquet": "o", "test.parquet": "t"},
        **values,
    }


def level1_card(model: str, level1: str, *inputs: str, **values: Any) -> Level1Card:
    own = {"level1": level1, "inputs": inputs, "parameters": {"C": 2.0}, "seed": 0}
    return Level1Card(**{**own, **_common(model, **values)})


def external_card(model: str, **values: Any) -> ExternalCard:
    own = {"oof_file": "oof.csv", "test_file": "test.csv", "folds_given": True}
    return ExternalCard(**{**own, **_common(model, **values)})


def stack_card(level2: str, **values: Any) -> StackCard:
    own = {
        "level2": level2,
        "models": ("eyes", "ears"),
        "metadata": ("year",),
        "parameters": {level2: {"seed": 0}},
        "candidates": {level2: 0.6},
        "chosen": (level2, level2),
        "weights": {level2: (1.0, 1.0)},
        "best_model": "eyes",
        "gain": Difference(0.02, 0.01, 0.03),
        "standing_out": {},
        "large_offsets": {},
    }
    return StackCard(**{**own, **_common(f"stack-{level2}", **values)})
