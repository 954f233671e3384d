"""Likely label errors of given labels and probabilities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from competition.evaluation.label_errors import (
    confident_pairs,
    label_error_scores,
    rank_label_errors,
)


def drawn(seed: int, n_ads: int = 30, n_tags: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    oof = rng.random((n_ads, n_tags)).astype(np.float32)
    return (rng.random((n_ads, n_tags)) < oof).astype(np.uint8), oof


def test_thresholds_are_the_mean_self_confidence_of_either_class() -> None:
    labels = np.array([[1], [1], [0], [0], [0]], np.uint8)
    oof = np.array([[0.9], [0.1], [0.6], [0.2], [0.0]])
    # The ads that have the tag: 0.5 on average; those that lack it: 0.2667, so 0.7333 for its
    # absence. 0.1 of the second ad is below 0.2667, 0.6 of the third is above 0.5.
    assert confident_pairs(labels, oof)[:, 0].tolist() == [False, True, True, False, False]


def test_a_tag_of_one_class_has_no_confident_errors_and_finite_scores() -> None:
    labels = np.array([[1, 0, 1], [1, 0, 0], [1, 0, 1]], np.uint8)
    oof = np.array([[0.0, 1.0, 0.5], [1.0, 0.0, 0.5], [0.3, 0.4, 0.5]])
    assert not confident_pairs(labels, oof)[:, :2].any()
    assert np.isfinite(label_error_scores(labels, oof)).all()


def test_score_is_the_log_odds_of_an_error_at_the_rates_that_the_docstring_says() -> None:
    labels, oof = drawn(0)
    n_with = labels.sum(axis=0) + 0.5
    n_without = len(labels) + 1 - n_with
    rates = np.sqrt(n_with / n_without)
    rates *= labels.sum() / (rates * (len(labels) - labels.sum(axis=0))).sum()
    # As many labels are false as missing: at e = 1 %, 1 % of the true ones in either case.
    e = 0.01
    assert ((labels == 0).sum(axis=0) * e * rates).sum() == pytest.approx(e * labels.sum())
    p = oof.astype(float)
    odds = np.where(labels == 1, e * rates * (1 - p) / p, e * p / (1 - p))
    assert np.allclose(label_error_scores(labels, oof), np.log(odds / e))


def test_the_same_contradiction_weighs_less_where_the_tag_is_rare() -> None:
    labels = np.zeros((100, 2), np.uint8)
    labels[:2, 0], labels[:50, 1] = 1, 1
    scores = label_error_scores(labels, np.full((100, 2), 0.1))
    assert scores[0, 0] < scores[0, 1]
    assert scores[99, 0] == scores[99, 1]


@given(st.integers(0, 50), st.integers(0, 130))
@settings(max_examples=40, deadline=None)
def test_the_first_are_those_of_the_whole_order(seed: int, most: int) -> None:
    labels, oof = drawn(seed)
    oof = oof.round(1)  # ties
    whole, first = rank_label_errors(labels, oof), rank_label_errors(labels, oof, most)
    assert len(whole) == labels.size
    assert len(first) == min(most, labels.size)
    for name in ("ad", "tag", "given", "probability", "score", "confident"):
        assert np.array_equal(getattr(first, name), getattr(whole, name)[:most])
    order = np.argsort(-label_error_scores(labels, oof).ravel(), kind="stable")
    assert np.array_equal(whole.ad * labels.shape[1] + whole.tag, order)


def test_labels_that_were_turned_come_first() -> None:
    rng = np.random.default_rng(1)
    true = (rng.random((400, 5)) < [0.03, 0.1, 0.2, 0.5, 0.7]).astype(np.uint8)
    oof = np.clip(np.where(true == 1, 0.9, 0.05) + rng.normal(0, 0.02, true.shape), 0, 1)
    turned = rng.random(true.shape) < 0.02
    found = rank_label_errors(true ^ turned, oof, most=int(turned.sum()))
    assert turned[found.ad, found.tag].all()
