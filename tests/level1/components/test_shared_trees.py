"""Shared trees: what a leaf is worth to each tag, and what happens where nothing splits."""

import numpy as np
import pytest

from competition.level1.components.shared_trees import LeafValues, boost, needed

LABELS = np.array([[1, 0], [1, 1], [0, 1], [0, 0], [0, 1]], dtype=np.uint8)
LEAF = np.array([0, 0, 3, 3, 3])


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


def boosted(labels: np.ndarray, grow, n_rounds: int, seed: int = 0) -> LeafValues:
    return boost(
        labels, grow, n_rounds=n_rounds, learning_rate=0.5, reg_lambda=1.0, random_state=seed
    )


def test_leaf_takes_a_newton_step_for_each_tag_from_where_the_trees_before_it_led():
    values = boosted(LABELS, lambda target: LEAF, 3)  # of which two tags need two
    logits = np.tile(np.log([0.4 / 0.6, 0.6 / 0.4]), (5, 1))
    for _ in range(2):
        p = sigmoid(logits)
        for inside in (LEAF == 0, LEAF == 3):
            gradient = (p - LABELS)[inside].sum(axis=0)
            curvature = (p * (1 - p))[inside].sum(axis=0)
            logits[inside] -= 0.5 * gradient / (curvature + 1)
    found = values.predict_proba(np.column_stack([LEAF, LEAF]))
    np.testing.assert_allclose(found, sigmoid(logits), rtol=1e-5)


def test_leaf_without_training_ads_adds_nothing():
    values = boosted(LABELS, lambda target: LEAF, 3)
    found = values.predict_proba(np.array([[1, 2]]))
    np.testing.assert_allclose(found, [[0.4, 0.6]], rtol=1e-6)


def test_targets_are_mixtures_of_the_gradients_of_a_deviation_of_1():
    targets = []

    def grow(target: np.ndarray) -> np.ndarray:
        targets.append(target)
        return LEAF

    boosted(LABELS, grow, 3)
    gradients = np.array([0.4, 0.6]) - LABELS
    weights = np.linalg.lstsq(gradients, targets[0].astype(np.float64))[0]
    assert (weights != 0).all()
    np.testing.assert_allclose(gradients @ weights, targets[0], atol=1e-6)
    np.testing.assert_allclose([target.std() for target in targets], 1, rtol=1e-5)


def test_round_that_finds_no_split_keeps_no_tree():
    leaves = iter([LEAF, None, LEAF])
    values = boosted(LABELS, lambda target: next(leaves), 4)  # of which two tags need three
    assert len(values.places) == 2


def test_another_seed_draws_other_mixtures():
    first, second = ([], [])
    for seed, targets in enumerate((first, second)):
        boosted(LABELS, lambda target, kept=targets: (kept.append(target), LEAF)[1], 3, seed)
    assert not np.array_equal(first[0], second[0])


@pytest.mark.parametrize(("n_tags", "rounds"), [(1, 100), (3, 150), (65, 197), (10_000, 200)])
def test_few_tags_need_fewer_rounds(n_tags, rounds):
    assert needed(200, n_tags) == rounds
