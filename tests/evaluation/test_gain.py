"""The gain over the best model: each fold alone, against what the other folds call best."""

from pathlib import Path

import numpy as np
import pytest

from competition.evaluation.chosen_metric import metric_of
from competition.evaluation.gain import gain_over_best
from competition.evaluation.metrics import gap

RARE = """
from sklearn.metrics import roc_auc_score


def area(labels, scores):
    return roc_auc_score(labels, scores, average="macro")
"""
FOLD = np.tile(np.arange(5), 60)


def made(seed: int = 0, n_models: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, a stack's scores, and models that are noisier than it."""
    rng = np.random.default_rng(seed)
    truth = rng.random((300, 6))
    labels = (rng.random(truth.shape) < truth**2).astype(np.uint8)
    noise = rng.normal(0, 0.3, (300, n_models, 6))
    return labels, truth + rng.normal(0, 0.1, truth.shape), truth[:, None] + noise


def by_hand(
    name: str, labels: np.ndarray, scores: np.ndarray, models: np.ndarray, fold: np.ndarray
) -> float:
    metric, gains = metric_of(name), []
    for k in np.unique(fold):
        held_out, others = fold == k, fold != k
        if not labels[held_out].any():
            continue
        on_others = [metric(labels[others], models[others, m], 3) for m in range(models.shape[1])]
        rival = models[held_out, np.argmax(on_others)]
        gains.append(
            metric(labels[held_out], scores[held_out], 3) - metric(labels[held_out], rival, 3)
        )
    return float(np.mean(gains))


@pytest.mark.parametrize("name", ["gap", "map", "f1"])
def test_value_is_the_mean_of_folds_over_the_model_that_the_others_call_best(name: str) -> None:
    labels, scores, models = made(n_models=8)
    found = gain_over_best(name, labels, scores, models, FOLD, top_k=3)
    assert found.value == pytest.approx(by_hand(name, labels, scores, models, FOLD))
    assert found.low < found.value < found.high


def test_interval_is_half_as_wide_again_as_that_of_the_bootstrap_of_ads() -> None:
    labels, scores, models = made(n_models=1)
    found = gain_over_best("gap", labels, scores, models, FOLD, top_k=3)
    rng, gains = np.random.default_rng(9), []
    for _ in range(1000):
        drawn = rng.integers(300, size=300)
        gains.append(by_hand("gap", labels[drawn], scores[drawn], models[drawn], FOLD[drawn]))
    low, high = np.percentile(gains, [2.5, 97.5])
    assert found.high - found.low == pytest.approx(1.5 * (high - low), rel=0.1)


def test_stack_that_is_its_only_model_gains_nothing() -> None:
    labels, scores, _ = made()
    found = gain_over_best("gap", labels, scores, scores[:, None], FOLD)
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_scales_of_folds_change_nothing() -> None:
    labels, scores, models = made()
    shifted = scores + FOLD[:, None]
    assert gap(labels, shifted) < gap(labels, scores) - 0.01
    found = gain_over_best("gap", labels, shifted, models, FOLD)
    assert found == gain_over_best("gap", labels, scores, models, FOLD)


def test_luckiest_of_many_equal_models_has_no_lead() -> None:
    """A mean of models that all are chance seems to lose to the luckiest of them, and does not."""
    luck, gains = [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        labels = (rng.random((300, 6)) < 0.2).astype(np.uint8)
        models = rng.random((300, 30, 6))
        scores = models.mean(axis=1)
        best = max(gap(labels, models[:, m]) for m in range(30))
        luck.append(gap(labels, scores) - best)
        gains.append(gain_over_best("gap", labels, scores, models, FOLD).value)
    assert np.mean(luck) < -0.015
    assert abs(np.mean(gains)) < 0.01


def test_fold_without_a_true_tag_does_not_count() -> None:
    labels, scores, models = made()
    labels[FOLD == 4] = 0
    found = gain_over_best("gap", labels, scores, models, FOLD, top_k=3)
    assert found.value == pytest.approx(by_hand("gap", labels, scores, models, FOLD))


def test_true_tags_of_one_fold_are_enough() -> None:
    labels, scores, models = made()
    labels[FOLD != 2] = 0
    found = gain_over_best("gap", labels, scores, models, FOLD)
    best = max(gap(labels, models[:, m]) for m in range(3))
    one = FOLD == 2
    rival = next(m for m in range(3) if gap(labels, models[:, m]) == best)
    assert found.value == pytest.approx(
        gap(labels[one], scores[one]) - gap(labels[one], models[one, rival])
    )


def test_groups_are_drawn_whole() -> None:
    labels, scores, models = made()
    group = np.arange(300) // 30
    fold = group % 5
    alone = gain_over_best("gap", labels, scores, models, fold, seed=1)
    together = gain_over_best("gap", labels, scores, models, fold, seed=1, group=group)
    assert together.value == alone.value
    assert (together.low, together.high) != (alone.low, alone.high)


def test_of_many_ads_some_are_resampled_for_about_the_same_interval(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((4_000, 6))
    labels = (rng.random(truth.shape) < truth**2).astype(np.uint8)
    models = truth[:, None] + rng.normal(0, 0.3, (4_000, 2, 6))
    fold = np.arange(4_000) % 5
    every = gain_over_best("gap", labels, truth, models, fold)
    monkeypatch.setattr("competition.evaluation.bootstrap.MANY", 800)
    some = gain_over_best("gap", labels, truth, models, fold)
    assert some.value == pytest.approx(every.value, abs=0.005)
    assert some.high - some.low == pytest.approx(every.high - every.low, rel=0.25)


def test_metric_without_a_value_on_a_fold_takes_all_ads_as_one_fold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rare_metric.py").write_text(RARE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    labels, scores, models = made()
    labels[:, 0] = 0
    labels[:12, 0] = FOLD[:12] != 3  # no ad of one fold carries the first tag
    found = gain_over_best("rare_metric:area", labels, scores, models, FOLD)
    area = metric_of("rare_metric:area")
    best = max(area(labels, models[:, m], 20) for m in range(3))
    assert found.value == pytest.approx(area(labels, scores, 20) - best)
    assert found.low < found.value < found.high
