"""What can be caught of a leak, and what cannot."""

import numpy as np
import pytest

from competition.evaluation.leaks import fold_standing_out


def ads(n: int = 300, n_tags: int = 10, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Labels, honest predictions and folds."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(n, n_tags)) - 1
    labels = (rng.random(truth.shape) < 1 / (1 + np.exp(-truth))).astype(np.uint8)
    oof = 1 / (1 + np.exp(-(truth + rng.normal(size=truth.shape))))
    return labels, oof, rng.permutation(n) % 5


def leak(labels: np.ndarray, oof: np.ndarray, share: float) -> np.ndarray:
    return (1 - share) * oof + share * labels


@pytest.mark.parametrize("seed", range(20))
def test_honest_model_is_not_accused(seed: int) -> None:
    labels, oof, fold = ads(seed=seed)
    assert fold_standing_out(labels, oof, fold) is None


@pytest.mark.parametrize("fold_leaked", range(5))
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_leak_of_one_fold_is_caught(fold_leaked: int, share: float) -> None:
    labels, oof, fold = ads()
    held_out = fold == fold_leaked
    oof[held_out] = leak(labels[held_out], oof[held_out], share)
    found = fold_standing_out(labels, oof, fold)
    assert found is not None
    assert found.fold == fold_leaked
    assert found.gap > found.others


def test_leak_of_all_folds_cannot_be_told_from_a_good_model() -> None:
    labels, oof, fold = ads()
    assert fold_standing_out(labels, leak(labels, oof, 0.3), fold) is None


def test_two_folds_say_nothing() -> None:
    labels, oof, fold = ads()
    assert fold_standing_out(labels, oof, fold % 2) is None
