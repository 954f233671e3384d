"""The corrector: a residual on a linear stack, used as far as it pays."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from competition.evaluation.metrics import gap
from competition.level2.crossfit import cross_fit
from competition.level2.data import Ads
from competition.level2.learners import corrector
from competition.level2.learners.corrector import Corrector
from competition.level2.learners.pooled import Pooled
from competition.testing.stacks import made_stack, with_probabilities


def test_where_nothing_is_left_to_correct_it_is_pooled_to_the_bit() -> None:
    data, test = made_stack(n=60)
    noise = np.random.default_rng(2).random(data.ads.shape).astype(np.float32)
    data = with_probabilities(data, noise)
    found, base = cross_fit(Corrector(), data, test), cross_fit(Pooled(), data, test)
    assert found.corrections == [0, 0, 0]
    np.testing.assert_array_equal(found.oof, base.oof)
    np.testing.assert_array_equal(found.fold_test, base.fold_test)


@pytest.mark.parametrize("chosen_on", [1, 150_000])  # pairs: one fold, all folds
def test_it_learns_what_no_line_can(chosen_on: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tag turns with a number: between two values one model is right, beyond them it is not."""
    monkeypatch.setattr(corrector, "CHOSEN_ON", chosen_on)
    data, test = made_stack(n=600, n_models=2, n_tags=4, n_test=40)
    rng = np.random.default_rng(3)
    number = rng.uniform(-2, 2, 640)
    known = np.where(np.abs(number) < 1, 2.0, -2.0)[:, None] * np.array([1, -1, 1, -1])
    labels = (rng.random((640, 4)) < expit(known)).astype(np.uint8)
    train, test = (
        Ads(ads.probabilities, ads.metadata[[]].assign(number=values), ads.missing)
        for ads, values in ((data.ads, number[:600]), (test, number[600:]))
    )
    data = replace(data, labels=labels[:600], ads=train)
    found, base = cross_fit(Corrector(), data, test), cross_fit(Pooled(), data, test)
    assert min(found.corrections) > 0
    assert gap(data.labels, found.oof) > gap(data.labels, base.oof) + 0.05
    assert gap(labels[600:], found.fold_test.mean(axis=0)) > (
        gap(labels[600:], base.fold_test.mean(axis=0)) + 0.05
    )


def test_two_folds_leave_none_to_choose_with_and_pooled_remains() -> None:
    data, _ = made_stack()
    data = replace(data, fold=np.minimum(data.fold, 1))
    found, base = cross_fit(Corrector(), data), cross_fit(Pooled(), data)
    np.testing.assert_array_equal(found.oof, base.oof)
