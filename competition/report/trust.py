"""How far a score can be trusted: folds, offsets, calibration, and who chose what."""

from dataclasses import dataclass

import numpy as np

from competition.evaluation.fold_offsets import LARGE, offset_spread
from competition.report.score_bins import Reliability, ScoreBins
from competition.report.shown import Shown


@dataclass(frozen=True, eq=False)
class Choices:
    """What nested selection saw and chose.

    Attributes
    ----------
    folds : list of int
    rows : list of (str, list of float, list of float)
        Each candidate with its GAP without each fold, and the standard error of its distance to
        the best.
    chosen : list of str
        Of each fold.
    """

    folds: list[int]
    rows: list[tuple[str, list[float], list[float]]]
    chosen: list[str]


@dataclass(frozen=True, eq=False)
class Trust:
    """What the section shows.

    Attributes
    ----------
    gaps : list of (str, list of float)
        GAP in each fold, of each model and the stack, the best first.
    offsets : list of (str, list of float)
        Mean logit of each fold model on the test ads, less the mean over folds.
    largest : list of (str, float)
        Level-1 models whose offsets the stack removes, with their spread.
    before, after : Reliability
        Of the stack's probabilities, and of those calibrated inside the folds.
    true, false : ndarray of shape (25,)
        Decisions by probability.
    choices : Choices or None
    """

    gaps: list[tuple[str, list[float]]]
    offsets: list[tuple[str, list[float]]]
    largest: list[tuple[str, float]]
    before: Reliability
    after: Reliability
    true: np.ndarray
    false: np.ndarray
    choices: Choices | None


def trust(shown: Shown, bins: ScoreBins) -> Trust:
    """Gather what the section shows."""
    cards = sorted([shown.stack, *shown.cards], key=lambda card: -card.scores.gap)
    true, false = bins.histogram()
    return Trust(
        [(card.model, [one.gap for one in card.scores_per_fold]) for card in cards],
        [
            (card.model, [level - float(np.mean(card.fold_offsets)) for level in card.fold_offsets])
            for card in cards
            if card.fold_offsets
        ],
        [
            (card.model, offset_spread(card.fold_offsets))
            for card in shown.cards
            if offset_spread(card.fold_offsets) > LARGE
        ],
        bins.reliability(),
        bins.calibrated(),
        true,
        false,
        _choices(shown),
    )


def _choices(shown: Shown) -> Choices | None:
    card = shown.stack
    if not card.candidates_without_fold:
        return None
    rows = [
        (name, list(gaps), list(card.standard_errors.get(name, ())))
        for name, gaps in card.candidates_without_fold.items()
    ]
    rows.sort(key=lambda row: -float(np.mean(row[1])))
    return Choices(list(range(len(card.chosen))), rows, list(card.chosen))
