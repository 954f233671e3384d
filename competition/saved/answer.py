"""What a saved stack says of new ads: probabilities, the tags to set, doubts, and why."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from competition.datasets.base import AdDataset
from competition.evaluation.thresholds import Decision, set_tags
from competition.level2.data import Ads
from competition.saved.manifest import Manifest
from competition.saved.unsure import MODELS_DIFFER, NO_INPUT, UNKNOWN_WORDS, disagreement


@dataclass(frozen=True, eq=False)
class Answer:
    """What a saved stack says of some ads.

    Attributes
    ----------
    probabilities : DataFrame of shape (n_ads, n_tags), dtype float32
        As of `SavedStack.predict_proba`.
    decided : DataFrame
        As of `SavedStack.predict`.
    missing : DataFrame of shape (n_ads, n_inputs), dtype bool
        The inputs and features that each ad lacks.
    faults : tuple of (str, str, str)
        Ad, file and reason of what could not be read and counts as missing.
    explanation : DataFrame or None
        As of `SavedStack.explain`, where it was asked for.
    """

    probabilities: pd.DataFrame
    decided: pd.DataFrame
    missing: pd.DataFrame
    faults: tuple[tuple[str, str, str], ...]
    explanation: pd.DataFrame | None


@dataclass(frozen=True, eq=False)
class Read:
    """New ads, as the meta-learners take them."""

    dataset: AdDataset
    ads: Ads
    unknown_words: np.ndarray
    faults: tuple[tuple[str, str, str], ...]


def decided(manifest: Manifest, read: Read, stacked: np.ndarray) -> pd.DataFrame:
    """Set tags by the thresholds of a stack, and say of which ads it is unsure.

    Parameters
    ----------
    manifest : Manifest
    read : Read
    stacked : ndarray of shape (n_ads, n_tags)
        The stack's probabilities.
    """
    decision, names = manifest.decision, [tag.name for tag in manifest.tags]
    chosen = set_tags(
        stacked, np.array(decision.thresholds), Decision(decision.rule, decision.value)
    )
    best = np.argsort(-stacked, axis=1, kind="stable")
    tags = [
        tuple(names[tag] for tag in order if is_set[tag])
        for order, is_set in zip(best, chosen, strict=True)
    ]
    doubts = {
        NO_INPUT: read.ads.missing[:, _is_read(manifest, read)].all(axis=1),
        MODELS_DIFFER: disagreement(read.ads.probabilities) > decision.disagreement,
        UNKNOWN_WORDS: read.unknown_words,
    }
    found = pd.DataFrame(doubts, index=read.dataset.test_ids)
    why = [", ".join(found.columns[row]) for row in found.to_numpy()]
    return pd.DataFrame(
        {"tags": tags, "unsure": found.any(axis=1), "why": why}, index=read.dataset.test_ids
    )


def _is_read(manifest: Manifest, read: Read) -> np.ndarray:
    """Which inputs the level-1 models or the meta-learners read, of those of `Read.ads`."""
    columns = {*manifest.kinds, *manifest.level2.metadata}
    inputs = [read.dataset.inputs[name] for name in manifest.level2.inputs]
    return np.array([not columns.isdisjoint(one.columns) for one in inputs], dtype=bool)


def explained(
    manifest: Manifest,
    read: Read,
    stacked: np.ndarray,
    stack: Callable[[Ads], np.ndarray],
) -> pd.DataFrame:
    """Tell what each model says of each tag, and what it does to the stack's answer.

    Parameters
    ----------
    manifest : Manifest
    read : Read
    stacked : ndarray of shape (n_ads, n_tags)
        The stack's probabilities.
    stack : callable
        The meta-learners: from level-1 probabilities to these.
    """
    ids, level1, names = read.dataset.test_ids, read.ads, [tag.name for tag in manifest.tags]
    whole = _logit(stacked)
    parts = []
    for place, model in enumerate(manifest.models):
        without = level1.probabilities.copy()
        others = np.delete(level1.probabilities, place, axis=1)
        if others.shape[1]:
            without[:, place] = others.mean(axis=1)
        effect = whole - _logit(stack(Ads(without, level1.metadata, level1.missing)))
        parts.append(
            pd.DataFrame(
                {
                    "id": np.repeat(ids.to_numpy(), len(names)),
                    "tag": np.tile(names, len(ids)),
                    "model": model,
                    "probability": level1.probabilities[:, place].ravel(),
                    "stack": stacked.ravel(),
                    "effect": effect.ravel(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _logit(probabilities: np.ndarray) -> np.ndarray:
    held = np.clip(probabilities.astype(np.float64), 1e-6, 1 - 1e-6)
    return np.log(held / (1 - held))
