"""Ensemble selection: its GAP is the metric's, and its choices are those of the plain algorithm."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from competition.evaluation.metrics import gap, mean_average_precision
from competition.level2.learners.greedy import SHIFT, Greedy, candidate_gaps, select
from competition.testing.stacks import made_stack
from competition.utils.errors import ModelError


def models_of(n: int, n_models: int, n_tags: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    data, _ = made_stack(n=n, n_models=n_models, n_tags=n_tags, n_test=0, seed=seed)
    return data.ads.probabilities, data.labels


def rounded(mean: np.ndarray) -> np.ndarray:
    """Probabilities as the order of their odds, which are equal if closer than 0.2 %."""
    odds = np.ascontiguousarray(mean / np.maximum(1 - mean, np.float32(2**-24)))
    return odds.view(np.int32) >> SHIFT


def plain_selection(
    train: np.ndarray, labels: np.ndarray, start: int, rounds: int, top_k: int
) -> list[int]:
    """Caruana's own algorithm, by `metrics.gap` of rounded scores: the models in its bag."""

    def score(bag: list[int]) -> float:
        return gap(labels, rounded(train[:, bag].mean(axis=1)), top_k)

    models = range(train.shape[1])
    order = sorted(models, key=lambda m: (-score([m]), m))
    bag = max((order[:n] for n in range(1, start + 1)), key=score)
    best = bag
    for _ in range(rounds):
        bag = max(([*bag, m] for m in models), key=score)
        best = max((best, bag), key=score)
    return sorted(best)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("top_k", [1, 3, 20, 100])
def test_selects_what_the_plain_algorithm_selects(seed: int, top_k: int) -> None:
    train, labels = models_of(150, 5, 24, seed)
    counts = select(train, labels, start=3, rounds=6, top_k=top_k)
    assert list(np.repeat(np.arange(5), counts)) == plain_selection(train, labels, 3, 6, top_k)


@pytest.mark.parametrize("seed", range(3))
def test_selects_by_another_metric(seed: int) -> None:
    train, labels = models_of(60, 3, 5, seed)

    def score(bag: list[int]) -> float:
        return mean_average_precision(labels, train[:, bag].mean(axis=1))

    order = sorted(range(3), key=lambda m: (-score([m]), m))
    bag = max((order[:n] for n in range(1, 3)), key=score)
    best = bag
    for _ in range(2):
        bag = max(([*bag, m] for m in range(3)), key=score)
        best = max((best, bag), key=score)
    counts = select(train, labels, start=2, rounds=2, top_k=20, metric="map")
    assert score(list(np.repeat(np.arange(3), counts))) == pytest.approx(score(best), abs=1e-6)


@given(st.integers(1, 40), st.integers(1, 45), st.integers(0, 100), st.booleans())
@settings(deadline=None)  # the first call may compile
def test_gap_of_a_candidate_is_the_metrics_gap_of_rounded_odds(n, n_tags, seed, in_tenths) -> None:
    train, labels = models_of(n, 3, n_tags, seed)
    labels[0, 0] = 1
    if in_tenths:  # many equal scores, at the edge of an ad's 20 tags too
        train = np.round(train, 1)
    bag = train[:, 0] + train[:, 1]
    found = candidate_gaps(
        bag, 2, np.ascontiguousarray(train[:, 2:].transpose(1, 0, 2)), labels, 20
    )
    mean = (bag + train[:, 2]) * np.float32(1 / 3)
    # Tags that compete for an ad's last places are listed in part: nearly their expected value.
    expected = gap(labels, rounded(mean), 20)
    assert found[0] == pytest.approx(expected, abs=1e-9 if n_tags <= 20 else 5e-3)


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 5.0])
def test_rounding_of_odds_costs_less_than_a_ten_thousandth(sharpness: float) -> None:
    """Sharp models crowd near 0 and 1, where GAP looks most closely."""
    train, labels = models_of(2000, 1, 40)
    sharp = expit(sharpness * logit(train))
    models = np.ascontiguousarray(sharp.transpose(1, 0, 2))
    found = candidate_gaps(np.zeros_like(models[0]), 0, models, labels, 20)
    assert found[0] == pytest.approx(gap(labels, sharp[:, 0]), abs=1e-4)


def test_among_equal_models_the_first_is_taken() -> None:
    train, labels = models_of(80, 1, 6)
    assert list(select(np.repeat(train, 4, axis=1), labels, start=3, rounds=5, top_k=20)) == [
        1,
        0,
        0,
        0,
    ]


def test_a_useless_model_is_left_out() -> None:
    train, labels = models_of(300, 2, 6)
    noise = np.random.default_rng(1).random(train[:, :1].shape).astype(np.float32)
    assert (
        select(np.concatenate([noise, train], axis=1), labels, start=3, rounds=10, top_k=20)[0] == 0
    )


def test_the_bag_is_never_worse_in_training_than_the_best_model() -> None:
    train, labels = models_of(200, 6, 8)
    counts = select(train, labels, start=1, rounds=8, top_k=20)
    bag = np.average(train, axis=1, weights=counts)
    best = max(gap(labels, train[:, m]) for m in range(6))
    assert gap(labels, bag) > best - 1e-4


def test_threads_do_not_change_the_choice() -> None:
    train, labels = models_of(100, 7, 6)
    one, two = (select(train, labels, 5, 10, 20, n_threads) for n_threads in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_no_true_tag_in_training_is_no_error() -> None:
    train, labels = models_of(20, 3, 4)
    assert select(train, np.zeros_like(labels), start=2, rounds=3, top_k=20).sum() == 1


def test_a_start_of_0_is_an_error() -> None:
    with pytest.raises(ModelError, match="start of 1 or more"):
        Greedy(start=0).fit(made_stack()[0])
