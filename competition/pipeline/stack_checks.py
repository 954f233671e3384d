"""What a stack is worth, and which of its level-1 models look suspicious: for its card."""

from collections.abc import Sequence

import numpy as np

from competition.evaluation.bootstrap import Difference
from competition.evaluation.chosen_metric import metric_of
from competition.evaluation.fold_offsets import LARGE, offset_spread
from competition.evaluation.gain import gain_over_best
from competition.level2.data import StackData
from competition.oof.cards import FoldOffset, ModelCard


def best_model(cards: Sequence[ModelCard], data: StackData) -> str:
    """Name of the level-1 model that the metric calls best; of equal ones, the first."""
    metric, by_card = metric_of(data.metric), {card.model: card.scores.gap for card in cards}
    scores = {
        model: by_card[model]
        if data.metric == "gap" and model not in data.leaked
        else metric(data.labels, data.ads.of_models([place]).probabilities[:, 0], data.top_k)
        for place, model in enumerate(data.models)
    }
    return max(scores, key=lambda model: scores[model])


def gain_of(oof: np.ndarray, models: np.ndarray, data: StackData, seed: int) -> Difference:
    """What a stack's out-of-fold probabilities gain over the best of its level-1 models."""
    return gain_over_best(
        data.metric, data.labels, oof, models, data.fold, data.top_k, seed, data.group
    )


def large_offsets(cards: Sequence[ModelCard]) -> dict[str, FoldOffset]:
    """Level-1 models whose folds `stack_input` moves to a common level."""
    return {
        card.model: FoldOffset(
            spread=offset_spread(card.fold_offsets),
            fold_offsets=card.fold_offsets,
            gap=card.scores.gap,
            gap_folds=card.scores.gap_folds or 0.0,
        )
        for card in cards
        if offset_spread(card.fold_offsets) > LARGE
    }
