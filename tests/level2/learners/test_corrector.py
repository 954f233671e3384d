"""The corrector: a residual on a linear stack, used as far as it pays."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit

from competition.evaluation.metrics import gap
from competition.level2.learners.corrector import Corrector, best_weight
from competition.level2.learners.pooled import Pooled
from competition.testing.level2 import made_stack


def test_weight_has_the_lowest_log_loss() -> None:
    rng = np.random.default_rng(0)
    base, added = rng.normal(size=(2, 200, 3))
    labels = (rng.random((200, 3)) < expit(base + 0.4 * added)).astype(np.uint8)

    def loss(weight: float) -> float:
        logits = base + weight * added
        return float((np.logaddexp(0, logits) - labels * logits).sum())

    expected = minimize_scalar(loss, bounds=(0, 1), method="bounded", options={"xatol": 1e-8}).x
    assert best_weight(base, added, labels) == pytest.approx(expected, abs=1e-5)
    assert best_weight(base, -added, labels) == 0
    assert best_weight(base, added / 10, labels) == 1


def test_where_nothing_is_left_to_correct_it_is_pooled_to_the_bit() -> None:
    data = made_stack(n=60)
    noise = np.random.default_rng(2).random(data.train.shape).astype(np.float32)
    data = replace(data, train=noise)
    learner = Corrector()
    found, base = learner.cross_fit(data), Pooled().cross_fit(data)
    assert learner.weights_ == [0, 0, 0]
    np.testing.assert_array_equal(found.oof, base.oof)
    np.testing.assert_array_equal(found.fold_test, base.fold_test)


def test_it_learns_what_no_line_can() -> None:
    """A tag turns with a fact: between two values one model is right, beyond them it is not."""
    data = made_stack(n=600, n_models=2, n_tags=4, n_test=40)
    rng = np.random.default_rng(3)
    fact = rng.uniform(-2, 2, 640)
    known = np.where(np.abs(fact) < 1, 2.0, -2.0)[:, None] * np.array([1, -1, 1, -1])
    labels = (rng.random((640, 4)) < expit(known)).astype(np.uint8)
    frame = data.train_metadata[[]].assign(fact=fact[:600])
    data = replace(
        data,
        labels=labels[:600],
        train_metadata=frame,
        test_metadata=data.test_metadata[[]].assign(fact=fact[600:]),
    )
    learner = Corrector()
    found, base = learner.cross_fit(data), Pooled().cross_fit(data)
    assert min(learner.weights_) > 0
    assert gap(data.labels, found.oof) > gap(data.labels, base.oof) + 0.05
    assert gap(labels[600:], found.fold_test.mean(axis=0)) > (
        gap(labels[600:], base.fold_test.mean(axis=0)) + 0.05
    )


def test_two_folds_leave_none_to_choose_with_and_pooled_remains() -> None:
    data = made_stack()
    data = replace(data, fold=np.minimum(data.fold, 1))
    np.testing.assert_array_equal(Corrector().cross_fit(data).oof, Pooled().cross_fit(data).oof)
