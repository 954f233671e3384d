import json
from collections.abc import Callable
from dataclasses import asdict
from fractions import Fraction
from itertools import chain, combinations, groupby, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from competition.evaluation import metrics
from competition.utils.errors import MetricError


def gap_by_loop(labels: np.ndarray, scores: np.ndarray, top_k: int = 20) -> float:
    """GAP as the official scorer defines it, one item at a time; needs distinct scores."""
    pool = []
    for ad_labels, ad_scores in zip(labels, scores, strict=True):
        for tag in sorted(range(len(ad_scores)), key=lambda t: -ad_scores[t])[:top_k]:
            pool.append((ad_scores[tag], ad_labels[tag]))
    total = hits = 0.0
    for rank, (_, hit) in enumerate(sorted(pool, key=lambda item: -item[0]), start=1):
        if hit:
            hits += 1
            total += hits / rank
    return total / labels.sum()


def gap_by_enumeration(labels: list[list[int]], scores: list[list[int]], top_k: int) -> Fraction:
    """Mean GAP over every way to break the ties, all equally likely."""
    choices = []
    for ad_labels, ad_scores in zip(labels, scores, strict=True):
        k = min(top_k, len(ad_scores))
        edge = sorted(ad_scores, reverse=True)[k - 1]
        items = list(zip(ad_scores, ad_labels, strict=True))
        sure = [item for item in items if item[0] > edge]
        tied = [item for item in items if item[0] == edge]
        choices.append([sure + list(some) for some in combinations(tied, k - len(sure))])
    totals = [mean_over_pooled_orders(list(chain(*choice))) for choice in product(*choices)]
    return sum(totals, Fraction()) / len(totals) / sum(map(sum, labels))


def mean_over_pooled_orders(pool: list[tuple[int, int]]) -> Fraction:
    """Mean of the summed precisions over all places that a group's hits can take in it."""
    pool = sorted(pool, reverse=True)
    placements = []
    for _, group in groupby(pool, key=lambda item: item[0]):
        hits = [hit for _, hit in group]
        placements.append(
            [
                [int(place in places) for place in range(len(hits))]
                for places in combinations(range(len(hits)), sum(hits))
            ]
        )
    totals = []
    for order in product(*placements):
        hits_in_order = list(chain(*order))
        totals.append(
            sum(
                (
                    Fraction(sum(hits_in_order[: i + 1]), i + 1)
                    for i, hit in enumerate(hits_in_order)
                    if hit
                ),
                Fraction(),
            )
        )
    return sum(totals, Fraction()) / len(totals)


@st.composite
def tiny_cases(draw: st.DrawFn) -> tuple[list[list[int]], list[list[int]], int]:
    n_ads, n_tags, top_k = draw(st.sampled_from([(1, 6, 3), (2, 4, 3), (3, 3, 2), (2, 3, 5)]))

    def rows(highest: int) -> st.SearchStrategy[list[list[int]]]:
        row = st.lists(st.integers(0, highest), min_size=n_tags, max_size=n_tags)
        return st.lists(row, min_size=n_ads, max_size=n_ads)

    labels = draw(rows(1).filter(lambda rows: any(map(any, rows))))
    return labels, draw(rows(2)), top_k


def random_case(
    n_ads: int = 60, n_tags: int = 30, seed: int = 0, levels: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Labels and related scores; `levels` rounds the scores to that many values."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((n_ads, n_tags)) < rng.random(n_tags) * 0.8).astype(np.uint8)
    scores = 0.3 * labels + rng.random((n_ads, n_tags))
    return labels, scores if levels is None else np.floor(scores * levels)


@settings(max_examples=150, deadline=None)
@given(tiny_cases())
def test_gap_is_the_mean_over_all_orders_of_ties(case):
    labels, scores, top_k = case

    result = metrics.gap(np.array(labels), np.array(scores), top_k)

    assert result == pytest.approx(float(gap_by_enumeration(labels, scores, top_k)), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("top_k", [1, 7, 20, 100])
def test_gap_without_ties_is_the_loop_over_the_pooled_list(seed, top_k):
    labels, scores = random_case(seed=seed)

    assert metrics.gap(labels, scores, top_k) == pytest.approx(
        gap_by_loop(labels, scores, top_k), abs=1e-12
    )


def test_gap_with_many_ties_is_the_mean_over_shuffles():
    labels, scores = random_case(n_ads=40, levels=4)
    rng = np.random.default_rng(1)

    gaps = [
        gap_by_loop(labels, scores + 0.5 * rng.random(scores.shape), top_k=10) for _ in range(400)
    ]

    standard_error = np.std(gaps) / np.sqrt(len(gaps))
    assert metrics.gap(labels, scores, top_k=10) == pytest.approx(
        np.mean(gaps), abs=4 * standard_error
    )


def test_gap_is_the_same_whatever_number_of_ads_is_handled_at_once(monkeypatch):
    labels, scores = random_case(levels=5)
    at_once = metrics.gap(labels, scores, top_k=7)

    monkeypatch.setattr(metrics, "_CHUNK", 7)

    assert metrics.gap(labels, scores, top_k=7) == at_once


@given(st.randoms(use_true_random=False), st.sampled_from([None, 3]))
@settings(max_examples=25, deadline=None)
def test_gap_ignores_the_order_of_ads_and_tags(random, levels):
    labels, scores = random_case(levels=levels)
    ads = random.sample(range(len(scores)), len(scores))
    tags = random.sample(range(scores.shape[1]), scores.shape[1])

    permuted = metrics.gap(labels[ads][:, tags], scores[ads][:, tags])

    assert permuted == pytest.approx(metrics.gap(labels, scores), abs=1e-12)


def test_gap_depends_on_the_order_of_the_scores_alone():
    labels, scores = random_case(levels=9)

    assert metrics.gap(labels, np.exp(scores) - 5) == metrics.gap(labels, scores)


def test_gap_of_a_perfect_ranking_is_one():
    labels = (np.random.default_rng(0).random((50, 82)) < 0.1).astype(np.uint8)
    assert labels.sum(axis=1).max() <= 20

    assert metrics.gap(labels, labels * 0.9) == pytest.approx(1.0, abs=1e-12)


def test_gap_counts_true_tags_beyond_the_top_20_in_the_denominator():
    labels = np.ones((1, 25), dtype=np.uint8)

    assert metrics.gap(labels, np.arange(25.0)[None]) == pytest.approx(20 / 25)


def test_gap_of_a_hand_computed_list():
    # Pooled: .9 hit, .8 miss, .7 hit, .6 miss; the tags at .5 and .1 are not listed.
    labels = np.array([[1, 0, 1], [0, 1, 0]])
    scores = np.array([[0.9, 0.6, 0.5], [0.8, 0.7, 0.1]])

    assert metrics.gap(labels, scores, top_k=2) == pytest.approx((1 + 2 / 3) / 3)


def test_gap_orders_infinite_scores():
    labels, scores = random_case()
    best, worst = scores == scores.max(), scores == scores.min()
    infinite = np.where(best, np.inf, np.where(worst, -np.inf, scores))

    assert metrics.gap(labels, infinite) == metrics.gap(labels, scores)


def test_gap_of_constant_scores_stays_exact_in_a_large_pool():
    # One group: its hits h are drawn from N items, and the expected sum of precisions is
    # h / N * sum over j of (1 + (h - 1) (j - 1) / (N - 1)) / j.
    n = 300_000
    labels = np.zeros((n, 2), dtype=np.uint8)
    labels[::3] = 1
    hits, j = int(labels.sum()), np.arange(1, 2 * n + 1)
    expected = np.mean((1 + (hits - 1) * (j - 1) / (2 * n - 1)) / j)

    assert metrics.gap(labels, np.zeros((n, 2))) == pytest.approx(expected, rel=1e-9)


def test_gap_mean_of_folds_is_the_mean_of_each_folds_own_gap():
    labels, scores = random_case()
    fold = np.arange(len(scores)) % 3 + 1

    result = metrics.gap_mean_of_folds(labels, scores, fold, top_k=5)

    own = [gap_by_loop(labels[fold == k], scores[fold == k], 5) for k in (1, 2, 3)]
    assert result == pytest.approx(np.mean(own), abs=1e-12)


def test_gap_by_dimension_sees_the_tags_of_the_dimension_alone():
    labels, scores = random_case(n_tags=6)
    labels[:, 5] = 0
    dimensions = ["style", "scene", "style", "scene", "style", "unseen"]

    result = metrics.gap_by_dimension(labels, scores, dimensions, top_k=2)

    assert result == {
        "style": pytest.approx(gap_by_loop(labels[:, [0, 2, 4]], scores[:, [0, 2, 4]], 2)),
        "scene": pytest.approx(gap_by_loop(labels[:, [1, 3]], scores[:, [1, 3]], 2)),
    }


def test_map_is_the_mean_over_tags_with_positives_of_precision_at_each_hit():
    labels = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0]])
    scores = np.array([[0.9, 0.9, 0.1], [0.8, 0.2, 0.2], [0.7, 0.1, 0.3]])

    # Tag 0: hits at ranks 1 and 3. Tag 1: hits at ranks 2 and 3. Tag 2 has none.
    expected = ((1 + 2 / 3) / 2 + (1 / 2 + 2 / 3) / 2) / 2
    assert metrics.mean_average_precision(labels, scores) == pytest.approx(expected)


def test_map_orders_infinite_scores():
    labels = np.array([[0], [1], [0]])
    scores = np.array([[np.inf], [0.0], [-np.inf]])

    assert metrics.mean_average_precision(labels, scores) == pytest.approx(1 / 2)


def f1_by_counting(true: np.ndarray, predicted: np.ndarray) -> float:
    hits = float((true & predicted).sum())
    return 2 * hits / (true.sum() + predicted.sum()) if hits else 0.0


@pytest.mark.parametrize("n_tags", [1, 2, 30])
def test_f1_per_class_is_the_mean_over_tags(n_tags):
    labels, scores = random_case(n_tags=n_tags)
    per_tag = [f1_by_counting(labels[:, t] == 1, scores[:, t] >= 0.5) for t in range(n_tags)]

    assert metrics.f1_per_class(labels, scores) == pytest.approx(np.mean(per_tag))


@pytest.mark.parametrize("n_tags", [1, 2, 30])
def test_f1_overall_counts_all_decisions_together(n_tags):
    labels, scores = random_case(n_tags=n_tags)

    assert metrics.f1_overall(labels, scores) == pytest.approx(
        f1_by_counting(labels == 1, scores >= 0.5)
    )


def test_f1_of_a_tag_that_is_neither_true_nor_predicted_is_zero():
    labels, scores = np.array([[1, 0]]), np.array([[0.5, 0.1]])

    assert metrics.f1_per_class(labels, scores) == 0.5


def test_accuracy_is_the_share_of_right_decisions():
    labels = np.array([[1, 0], [1, 0]])
    scores = np.array([[0.5, 0.49], [0.1, 0.2]])

    assert metrics.accuracy(labels, scores) == 0.75


def test_score_gathers_every_metric():
    labels, scores = random_case()
    dimensions = ["a"] * 10 + ["b"] * 20
    fold = np.arange(len(scores)) % 4

    assert metrics.score(labels, scores, dimensions, fold, top_k=5) == metrics.Scores(
        gap=metrics.gap(labels, scores, 5),
        gap_folds=metrics.gap_mean_of_folds(labels, scores, fold, 5),
        gap_by_dimension=metrics.gap_by_dimension(labels, scores, dimensions, 5),
        map=metrics.mean_average_precision(labels, scores),
        f1_c=metrics.f1_per_class(labels, scores),
        f1_o=metrics.f1_overall(labels, scores),
        accuracy=metrics.accuracy(labels, scores),
    )


def test_scores_are_json():
    labels, scores = random_case()
    fields = asdict(metrics.score(labels, scores.astype(np.float32), ["a"] * 30))

    assert json.loads(json.dumps(fields)) == fields
    assert fields["gap_folds"] is None


ONE = np.ones((2, 3))
BAD_INPUTS = {
    "labels of another shape": (np.ones((2, 4)), ONE, r"\(2, 4\) do not fit .*\(2, 3\)"),
    "scores of one dimension": (np.ones(3), np.ones(3), r"must have the shape"),
    "a label of 2": (np.array([[1, 0, 2]]), np.ones((1, 3)), r"row 0, column 2 is 2;"),
    "a label of NaN": (np.array([[1, np.nan]]), np.ones((1, 2)), r"row 0, column 1 is nan;"),
    "a score of NaN": (ONE, np.array([[1, 1, 1], [1, np.nan, 1]]), r"row 1, column 1 is NaN"),
    "scores of text": (ONE, ONE.astype(str), r"must be numbers"),
    "no true tag": (np.zeros((2, 3)), ONE, r"None of the 2 ads has a true tag"),
    "no ads": (np.zeros((0, 3)), np.zeros((0, 3)), r"None of the 0 ads has a true tag"),
}
METRICS: list[Callable[..., float]] = [
    metrics.gap,
    metrics.mean_average_precision,
    metrics.f1_per_class,
    metrics.f1_overall,
    metrics.accuracy,
]


@pytest.mark.parametrize(
    ("labels", "scores", "message"), BAD_INPUTS.values(), ids=BAD_INPUTS.keys()
)
@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.__name__)
def test_bad_labels_and_scores_are_refused(metric, labels, scores, message):
    with pytest.raises(MetricError, match=message):
        metric(labels, scores)


def test_gap_refuses_a_top_k_of_zero():
    with pytest.raises(MetricError, match="top_k is 0"):
        metrics.gap(ONE, ONE, top_k=0)


def test_gap_mean_of_folds_refuses_folds_that_do_not_fit_the_ads():
    with pytest.raises(MetricError, match=r"\(3,\) do not fit 2 ads"):
        metrics.gap_mean_of_folds(ONE, ONE, np.zeros(3))


def test_gap_mean_of_folds_names_a_fold_without_true_tags():
    with pytest.raises(MetricError, match="Fold 7 has no true tag among its 1 ads"):
        metrics.gap_mean_of_folds(np.array([[1], [0]]), np.ones((2, 1)), np.array([6, 7]))


def test_gap_by_dimension_refuses_dimensions_that_do_not_fit_the_tags():
    with pytest.raises(MetricError, match="2 dimensions do not fit 3 tags"):
        metrics.gap_by_dimension(ONE, ONE, ["a", "b"])


@pytest.mark.parametrize("digits", [0, 1, 3])  # many, few and hardly any equal scores
def test_average_precision_is_that_of_scikit_learn(digits: int) -> None:
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(digits)
    labels, scores = rng.random((200, 30)) < 0.1, np.round(rng.random((200, 30)), digits)
    labels[:, 7] = False
    found = metrics.average_precisions(labels, scores)
    tags = [tag for tag in range(30) if tag != 7]
    expected = [average_precision_score(labels[:, tag], scores[:, tag]) for tag in tags]
    np.testing.assert_allclose(found[tags], expected, rtol=1e-12)
    assert np.isnan(found[7])
