"""The metric that a user names, and its resamples."""

import numpy as np
import pytest

from competition.evaluation.bootstrap import resamples
from competition.evaluation.chosen_metric import looks_at_values, metric_of, resampled_metric
from competition.evaluation.metrics import accuracy, f1_per_class, gap, mean_average_precision
from competition.utils.errors import MetricError

RNG = np.random.default_rng(0)
SCORES = RNG.random((80, 5))
LABELS = (RNG.random((80, 5)) < SCORES).astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gap", gap(LABELS, SCORES, 3)),
        ("map", mean_average_precision(LABELS, SCORES)),
        ("f1", f1_per_class(LABELS, SCORES)),
        ("competition.evaluation.metrics:accuracy", accuracy(LABELS, SCORES)),
    ],
)
def test_metric_is_found_by_name_or_import_path(name: str, expected: float) -> None:
    assert metric_of(name)(LABELS, SCORES, 3) == pytest.approx(expected)
    assert resampled_metric(name, LABELS, SCORES, 3, 10).value == pytest.approx(expected)


@pytest.mark.parametrize("name", ["mAP", "no.such:thing", "competition.evaluation.metrics:none"])
def test_unknown_metric_is_named(name: str) -> None:
    with pytest.raises(MetricError, match=name):
        metric_of(name)


def test_ads_of_a_group_are_drawn_together() -> None:
    group = np.repeat(np.arange(8), 10)
    for counts in resamples(np.ones(80, dtype=bool), 20, 0, group):
        of_groups = counts.reshape(8, 10)
        assert (of_groups == of_groups[:, :1]).all()
        assert of_groups[:, 0].sum() == 8


def test_gap_of_a_resample_of_unequal_groups_is_that_of_its_rows() -> None:
    group = np.repeat([0, 1, 2], [60, 15, 5])
    draws = list(resamples(np.ones(80, dtype=bool), 10, 0, group))
    found = resampled_metric("gap", LABELS, SCORES, 3, 10, group).resamples
    for counts, value in zip(draws, found, strict=True):
        rows = np.repeat(np.arange(80), counts)
        assert value == pytest.approx(gap(LABELS[rows], SCORES[rows], 3))


def first_is_right(labels: np.ndarray, scores: np.ndarray) -> float:
    return float(labels[np.arange(len(labels)), scores.argmax(axis=1)].mean())


def share_above_half(labels: np.ndarray, scores: np.ndarray) -> float:
    return float(((scores >= 0.5) == (labels > 0)).mean())


def log_likelihood(labels: np.ndarray, scores: np.ndarray) -> float:
    return float(np.log(np.where(labels > 0, scores, 1 - scores).clip(1e-9)).mean())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gap", False),
        ("map", False),
        ("competition:gap", False),
        (f"{__name__}:first_is_right", False),
        ("f1", True),
        (f"{__name__}:share_above_half", True),
        (f"{__name__}:log_likelihood", True),
    ],
)
@pytest.mark.parametrize("digits", [1, 7])
def test_what_looks_at_values_is_told_from_what_ranks(
    name: str, expected: bool, digits: int
) -> None:
    """Also where scores are so coarse that many are equal, as hard answers are."""
    rng = np.random.default_rng(0)
    labels = (rng.random((300, 6)) < 0.3).astype(np.uint8)
    scores = np.clip(labels * 0.3 + rng.random(labels.shape) * 0.6, 0, 1).round(digits)
    assert looks_at_values(name, labels, scores.astype(np.float32), 20) is expected
