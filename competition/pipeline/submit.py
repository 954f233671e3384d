"""The leaderboard file of a finished stack, with a card beside it."""

from dataclasses import asdict, dataclass
from pathlib import Path

from competition.datasets.base import AdDataset
from competition.evaluation.metrics import Scores
from competition.oof.cards import StackCard
from competition.oof.store import OofStore
from competition.pipeline.holdout import Holdout
from competition.submission.write import FORMATS, write_submission
from competition.utils.files import file_digest, write_json


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
    stack: StackCard,
    folder: Path,
    holdout: Holdout | None = None,
) -> Submitted | None:
    """Write ``<dataset>-<stack>-<OOF GAP>`` and a card beside it, and check the file.

    Training ads that are held out are no test ads of the leaderboard, and are not listed.

    Returns
    -------
    Submitted or None
        None where the dataset has no test ads.
    """
    held_out = store.test_ids[:0] if holdout is None else holdout.ids
    listed = ~store.test_ids.isin(held_out)
    if not listed.any():
        return None
    name = f"{dataset.name}-{stack.level2}-{stack.scores.gap:.4f}"
    path = folder / f"{name}{FORMATS[dataset.submission.format].ending}"
    _, probabilities = store.read(stack.model, stack)
    write_submission(
        path,
        dataset.submission,
        dataset.tag_names,
        list(store.test_ids[listed]),
        probabilities[listed],
    )
    scores = None
    if dataset.truth is not None or dataset.test_labels is not None:
        from competition.submission.score import score_submission

        scores = score_submission(path, dataset, None)
    card = {
        "submission": path.name,
        "sha256": file_digest(path),
        "stack": stack.model,
        "models": stack.models,
        "fingerprint": stack.fingerprint,
        "oof_scores": asdict(stack.scores),
        "test_scores": asdict(scores) if scores else None,
    }
    write_json(folder / f"{name}.card.json", card)
    return Submitted(path, scores)
