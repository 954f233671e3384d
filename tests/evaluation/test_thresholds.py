"""Thresholds: against a search of every one, and honest where tags are rare."""

import numpy as np
import pytest

from competition.evaluation.metrics import f1_per_class
from competition.evaluation.thresholds import (
    Decision,
    choose_thresholds,
    score_decisions,
    set_tags,
)
from competition.utils.errors import MetricError


def f1(given: np.ndarray, chosen: np.ndarray) -> float:
    return 2 * (given & chosen).sum() / max(given.sum() + chosen.sum(), 1)


def made(n: int, shares: list[float], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and probabilities that tell something of them and are far too low."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((n, len(shares))) < shares).astype(np.uint8)
    signal = labels * 2.0 + rng.normal(0, 1, labels.shape)
    return labels, 1 / (1 + np.exp(-(signal - 4)))


def test_threshold_of_a_common_tag_is_nearly_the_best_of_all() -> None:
    labels, probabilities = made(4000, [0.3, 0.3])
    thresholds = choose_thresholds(labels, probabilities, Decision())
    for tag in (0, 1):
        given, p = labels[:, tag] > 0, probabilities[:, tag]
        best = max(f1(given, p > t) for t in np.sort(p))
        assert f1(given, p > thresholds[tag]) > best - 0.005
        assert best > f1(given, p > 0.5) + 0.1  # half is far from it here


def test_rare_tag_is_drawn_to_the_common_threshold() -> None:
    labels, probabilities = made(2000, [0.3, 0.3, 0.3, 0.0])
    labels[:, 3] = 0
    labels[7, 3] = 1
    probabilities[:, 3] = 1e-4
    probabilities[7, 3] = 2e-4
    common, rare = choose_thresholds(labels, probabilities, Decision())[[0, 3]]
    assert 1.5e-4 < rare < common
    assert np.log(common / rare) < np.log(common / 1.5e-4) * 0.95


def test_tag_without_positives_gets_the_common_threshold() -> None:
    labels, probabilities = made(1000, [0.3, 0.3])
    labels[:, 1] = 0
    thresholds = choose_thresholds(labels, probabilities, Decision())
    assert 0 < thresholds[1] < 1


def test_precision_is_kept_out_of_fold() -> None:
    labels, probabilities = made(6000, [0.3, 0.2, 0.4])
    decision = Decision.parse("precision=0.8")
    scored = score_decisions(labels, probabilities, np.arange(6000) % 5, decision)
    assert abs(scored.precision[0] - 0.8) < 0.02
    assert scored.recall[0] > 0.2
    assert 0 < scored.precision[1] < 0.05


def test_precision_that_cannot_be_had_sets_nothing() -> None:
    labels = np.array([[1], [0]] * 50, dtype=np.uint8)
    chosen = set_tags(
        np.full((100, 1), 0.5),
        choose_thresholds(labels, np.full((100, 1), 0.5), Decision("precision", 0.9)),
        Decision("precision", 0.9),
    )
    assert not chosen.any()


def test_number_of_tags_is_that_of_every_ad() -> None:
    _, probabilities = made(50, [0.1] * 6)
    decision = Decision.parse("tags=2")
    thresholds = choose_thresholds(np.zeros((50, 6)), probabilities, decision)
    chosen = set_tags(probabilities, thresholds, decision)
    assert (chosen.sum(axis=1) == 2).all()
    assert (
        np.where(chosen, probabilities, 1).min(1) >= np.where(chosen, 0, probabilities).max(1)
    ).all()
    assert set_tags(probabilities, thresholds, Decision("tags", 99)).all()


def test_scores_of_noise_are_not_those_of_luck() -> None:
    """On the ads that they are chosen on, thresholds do better than elsewhere."""
    rng = np.random.default_rng(0)
    labels = (rng.random((120, 30)) < 0.05).astype(np.uint8)
    noise, fold = rng.random((120, 30)), np.arange(120) % 5
    honest = score_decisions(labels, noise, fold, Decision())
    thresholds = choose_thresholds(labels, noise, Decision())
    lucky = f1_per_class(labels, set_tags(noise, thresholds, Decision()).astype(float))
    assert honest.f1_c[0] < lucky - 0.02


@pytest.mark.parametrize(
    "text", ["", "f2", "f1=3", "precision", "precision=2", "tags=0", "tags=1.5"]
)
def test_rule_that_is_none(text: str) -> None:
    with pytest.raises(MetricError, match="write f1, precision"):
        Decision.parse(text)
