"""The leaderboard file of a finished stack, with a card beside it."""

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from competition.evaluation.metrics import Scores
from competition.oof.cards import StackCard
from competition.oof.store import OofStore
from competition.pipeline.context import AnyContext
from competition.pipeline.holdout import Holdout
from competition.pipeline.time_limit.plan import ALL_OF_IT, PlanRecord
from competition.submission.ledger import LOCKS, note_submission
from competition.submission.like import Sample, read_sample, write_like
from competition.submission.write import FORMATS, write_submission
from competition.utils.files import PathLike, file_digest, write_json
from competition.utils.locks import locked

CARD = ".card.json"


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


def open_sample(path: PathLike | None, context: AnyContext) -> Sample | None:
    """Read a sample submission before anything is extracted or trained; None without one.

    Parameters
    ----------
    path : path or None
    context : Context
        With all the ads that it begins with.

    Raises
    ------
    SubmissionError
        If it does not fit the test ads and the tags.
    """
    if path is None:
        return None
    sample = read_sample(Path(path), context.dataset, list(context.dataset.test_ids))
    if sample.remark:
        context.progress.remark(sample.remark)
    return sample


def submit(
    context: AnyContext,
    store: OofStore,
    stack: StackCard,
    holdout: Holdout | None = None,
    sample: Sample | None = None,
    plan: PlanRecord = ALL_OF_IT,
) -> Submitted | None:
    """Write ``<dataset>-<stack>-<OOF GAP>``, a card beside it and a row of the ledger; check it.

    Training ads that are held out are no test ads of the leaderboard, and are not listed. The file
    has the form that the dataset says, or that of a sample. Where another stack has the name, by
    the same GAP, eight digits of the stack's fingerprint follow.

    Returns
    -------
    Submitted or None
        None where the dataset has no test ads.
    """
    dataset, folder = context.dataset, context.submissions
    held_out = store.test_ids[:0] if holdout is None else holdout.ids
    listed = ~store.test_ids.isin(held_out)
    if not listed.any():
        return None
    name = f"{dataset.name}-{stack.level2}-{stack.scores.gap:.4f}"
    with locked(folder / LOCKS, [name], context.progress):
        if _is_of_another(folder / f"{name}{CARD}", stack):
            name = f"{name}-{stack.fingerprint[:8]}"
        return _write(name, listed, context, store, stack, sample, plan)


def _is_of_another(card: Path, stack: StackCard) -> bool:
    try:
        fingerprint = json.loads(card.read_text("utf-8"))["fingerprint"]
    except (OSError, ValueError, LookupError, TypeError):  # absent, or damaged
        return False
    return bool(fingerprint != stack.fingerprint)


def _write(
    name: str,
    listed: np.ndarray,
    context: AnyContext,
    store: OofStore,
    stack: StackCard,
    sample: Sample | None,
    plan: PlanRecord,
) -> Submitted:
    dataset, folder = context.dataset, context.submissions
    spec, tags, ids = dataset.submission, dataset.tag_names, list(store.test_ids[listed])
    path = folder / f"{name}{FORMATS[spec.format].ending}"
    _, probabilities = store.read(stack.model, stack)
    with tempfile.TemporaryDirectory() as elsewhere:
        # A list of tags without their scores could not be scored: the dataset's own form can.
        plain = path if sample is None else Path(elsewhere, path.name)
        write_submission(plain, spec, tags, ids, probabilities[listed])
        scores = None
        if dataset.truth is not None or dataset.test_labels is not None:
            from competition.submission.score import score_submission

            scores = score_submission(plain, dataset, None)
    if sample is not None:
        path = folder / f"{name}{sample.path.suffix}"
        write_like(path, sample, tags, ids, probabilities[listed])
    card = {
        "submission": path.name,
        "sha256": file_digest(path),
        "stack": stack.model,
        "models": stack.models,
        "fingerprint": stack.fingerprint,
        "oof_scores": asdict(stack.scores),
        "test_scores": asdict(scores) if scores else None,
    }
    if plan != ALL_OF_IT:
        card["plan"] = plan.model_dump(mode="json")
    write_json(folder / f"{name}{CARD}", card)
    note_submission(path, context.profile.called, stack.scores.gap, context.progress)
    return Submitted(path, scores)
