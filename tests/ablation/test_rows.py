"""What the rows of the ablation are computed from."""

from dataclasses import replace

import numpy as np
import pytest

from competition.ablation.dropping import eliminate
from competition.ablation.rows import RowMaker, without_modality
from competition.evaluation.metrics import accuracy, gap
from competition.level2.crossfit import cross_fit
from competition.level2.data import StackData
from competition.level2.learners.mean import Mean
from competition.level2.learners.pooled import Pooled
from competition.testing.stacks import made_stack, with_probabilities


def test_row_holds_scores_and_the_difference_to_the_reference() -> None:
    data, _ = made_stack()
    models = data.ads.probabilities
    row = RowMaker(data.labels, models[:, 1], 20, 0)("a", ["model_0"], models[:, 0])
    ours, theirs = (gap(data.labels, models[:, m]) for m in (0, 1))
    assert (row.gap, row.accuracy) == (ours, accuracy(data.labels, models[:, 0]))
    assert row.difference.value == pytest.approx(ours - theirs)
    assert row.difference.low < row.difference.value < row.difference.high


def test_missing_modality_answers_with_the_shares_of_its_training_ads() -> None:
    data, _ = made_stack()
    (found,) = without_modality(Mean(), data, [(["model_1"], [0])])
    for fold in data.folds:
        held_out = data.fold == fold
        prior = data.labels[~held_out].mean(axis=0)
        models = data.ads.probabilities[held_out]
        expected = (models[:, 0] + prior + models[:, 2]) / 3
        np.testing.assert_allclose(found[held_out], expected, rtol=1e-5)


def test_stack_that_lacks_a_modality_is_trained_with_it() -> None:
    """Labels of a fold change nothing in its own predictions; those of others do."""
    data, _ = made_stack()
    removed = [(["model_0"], [0]), (["model_1", "model_2"], [])]
    before = without_modality(Pooled(), data, removed)
    labels = data.labels.copy()
    labels[data.fold == 1] = 1 - labels[data.fold == 1]
    after = without_modality(Pooled(), replace(data, labels=labels), removed)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one[data.fold == 1], other[data.fold == 1])
        assert not np.array_equal(one[data.fold == 0], other[data.fold == 0])


def with_noise(seed: int = 0) -> StackData:
    """Two good models and one that says nothing but disturbs a mean."""
    data, _ = made_stack(n=240)
    models = data.ads.probabilities.copy()
    models[:, 1] = models[:, 0]
    models[:, 2] = np.random.default_rng(seed).random(models[:, 2].shape)
    return with_probabilities(data, models)


def test_model_that_disturbs_is_dropped_in_every_fold_and_the_rest_scores_higher() -> None:
    data = with_noise()
    pruned = eliminate(Mean(), data)
    assert all("model_2" in gone for gone in pruned.dropped.values())
    assert gap(data.labels, pruned.oof) > gap(data.labels, cross_fit(Mean(), data).oof) + 0.02


def test_choice_for_a_fold_does_not_see_it() -> None:
    data = with_noise()
    labels = data.labels.copy()
    labels[data.fold == 2] = 1 - labels[data.fold == 2]
    before, after = (eliminate(Pooled(), one) for one in (data, replace(data, labels=labels)))
    assert before.dropped[2] == after.dropped[2]
    np.testing.assert_array_equal(before.oof[data.fold == 2], after.oof[data.fold == 2])
