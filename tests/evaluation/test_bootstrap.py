"""The bootstrap of GAP: exact on every resample, paired, seeded."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from competition.evaluation.bootstrap import GapList, gap_difference, resampled, resamples
from competition.evaluation.metrics import gap


@st.composite
def ads(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, scores with many ties, and the rows of a resample."""
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 5)))
    labels = draw(npst.arrays(np.uint8, shape, elements=st.integers(0, 1)))
    scores = draw(npst.arrays(np.float32, shape, elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])))
    rows = draw(npst.arrays(np.int64, shape[0], elements=st.integers(0, shape[0] - 1)))
    labels[rows[0], 0] = 1  # without any true tag there is no GAP
    return labels, scores, rows


@given(ads(), st.integers(1, 5))
def test_gap_of_a_resample_is_the_gap_of_its_rows(case, top_k: int) -> None:
    labels, scores, rows = case
    counts = np.bincount(rows, minlength=len(labels))
    expected = gap(labels[rows], scores[rows], top_k)
    assert GapList(labels, scores, top_k).gap(counts) == pytest.approx(expected, abs=1e-12)


def made(n: int = 300, n_tags: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = rng.random((n, n_tags))
    return (rng.random(scores.shape) < scores**2).astype(np.uint8), scores


def test_scores_do_not_differ_from_themselves() -> None:
    labels, scores = made()
    difference = gap_difference(labels, scores, scores)
    assert (difference.value, difference.low, difference.high) == (0, 0, 0)


def test_value_is_the_difference_of_the_gaps() -> None:
    labels, scores = made()
    rival = np.random.default_rng(1).random(scores.shape)
    difference = gap_difference(labels, scores, rival, top_k=5)
    assert difference.value == pytest.approx(gap(labels, scores, 5) - gap(labels, rival, 5))
    assert difference.low < difference.value < difference.high


def test_swapped_sides_mirror_the_interval() -> None:
    labels, scores = made()
    rival = scores + np.random.default_rng(1).normal(0, 0.2, scores.shape)
    forth, back = gap_difference(labels, scores, rival), gap_difference(labels, rival, scores)
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low))


def test_seed_decides_the_interval() -> None:
    labels, scores = made(60)
    rival = scores[:, ::-1]
    first = gap_difference(labels, scores, rival, seed=1)
    assert gap_difference(labels, scores, rival, seed=1) == first
    assert gap_difference(labels, scores, rival, seed=2) != first


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    large, scores = made(6_000, 8)
    noise = np.random.default_rng(2).normal(0, 0.15, scores.shape)
    truth = gap(large, scores) - gap(large, scores + noise)
    hits = 0
    for part in np.split(np.arange(6_000), 40)[:20]:
        found = gap_difference(large[part], scores[part], (scores + noise)[part])
        hits += found.low <= truth <= found.high
    assert hits >= 16


def test_of_many_ads_some_are_resampled_for_about_the_same_interval(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    labels, scores = made(4_000, 8)
    rival = scores + np.random.default_rng(2).normal(0, 0.15, scores.shape)
    every = gap_difference(labels, scores, rival)
    monkeypatch.setattr("competition.evaluation.bootstrap.MANY", 500)
    some = gap_difference(labels, scores, rival)
    assert some.value == pytest.approx(every.value, abs=1e-9)
    assert some.low < some.value < some.high
    assert some.high - some.low == pytest.approx(every.high - every.low, rel=0.2)


def test_some_ads_without_any_true_tag_are_not_resampled_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("competition.evaluation.bootstrap.MANY", 10)
    labels, scores = made(2_000, 3)
    labels[:] = 0
    labels[1_234, 1] = 1
    assert resampled(labels, scores, 3, 5, seed=0).resamples.shape == (5,)


@settings(max_examples=20)
@given(st.integers(1, 30), st.integers(0, 100))
def test_every_resample_has_as_many_ads_and_a_true_tag(n_ads: int, seed: int) -> None:
    tagged = np.zeros(n_ads, dtype=bool)
    tagged[seed % n_ads] = True
    for counts in resamples(tagged, 5, seed):
        assert counts.sum() == n_ads
        assert counts[tagged].sum() > 0
