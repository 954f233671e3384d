"""The leaderboard file of a finished stack, with a card beside it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from competition.datasets.base import AdDataset
from competition.evaluation.metrics import Scores
from competition.oof.store import OofStore
from competition.pipeline.holdout import Holdout
from competition.submission.write import write_submission
from competition.utils.files import file_digest, write_json

ENDING = {"taac2021": ".json", "wide": ".csv", "youtube8m": ".csv"}


@dataclass(frozen=True)
class Submitted:
    """A leaderboard file.

    Attributes
    ----------
    path : Path
    scores : Scores or None
        On the test ads, where their truth is known.
    """

    path: Path
    scores: Scores | None


def submit(
    dataset: AdDataset,
    store: OofStore,
    stack: dict[str, Any],
    folder: Path,
    holdout: Holdout | None = None,
) -> Submitted | None:
    """Write ``<dataset>-<stack>-<OOF GAP>`` and a card beside it, and check the file.

    Training ads that are held out are left out of it.

    Returns
    -------
    Submitted or None
        None where the dataset has no test ads.
    """
    held_out = store.test_ids[:0] if holdout is None else holdout.ids
    asked = ~store.test_ids.isin(held_out)
    if not asked.any():
        return None
    gap = stack["scores"]["gap"]
    name = f"{dataset.name}-{stack['level2']}-{gap:.4f}"
    path = folder / f"{name}{ENDING[dataset.submission.format]}"
    _, probabilities = store.read(stack["model"])
    write_submission(
        path,
        dataset.submission,
        dataset.tag_names,
        list(store.test_ids[asked]),
        probabilities[asked],
    )
    scores = None
    if dataset.truth is not None or dataset.test_labels is not None:
        from competition.submission.score import score_submission

        scores = score_submission(path, dataset, None)
    card = {
        "submission": path.name,
        "sha256": file_digest(path),
        "stack": stack["model"],
        "models": stack["models"],
        "fingerprint": stack["fingerprint"],
        "oof_scores": stack["scores"],
        "test_scores": scores.as_dict() if scores else None,
    }
    write_json(folder / f"{name}.card.json", card)
    return Submitted(path, scores)
