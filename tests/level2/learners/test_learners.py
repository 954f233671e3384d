"""What single meta-learners compute, against direct computations."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from competition.evaluation.metrics import gap
from competition.level2.base import MetaLearner
from competition.level2.components.logits import PROBABILITY_FLOOR, Logits
from competition.level2.components.pairs import fit_pairs
from competition.level2.crossfit import cross_fit
from competition.level2.data import StackData
from competition.level2.learners.logit_mean import LogitMean
from competition.level2.learners.logreg import LogReg
from competition.level2.learners.mean import Mean
from competition.level2.learners.pooled import Pooled
from competition.level2.learners.rank_mean import RankMean, pooled_rank
from competition.level2.learners.single import Single
from competition.testing.stacks import made_stack, with_probabilities
from competition.utils.odds import prior_logits


def oof_of(learner: MetaLearner, data: StackData) -> np.ndarray:
    return cross_fit(learner, data).oof


def test_mean_is_the_mean() -> None:
    data, _ = made_stack()
    np.testing.assert_allclose(oof_of(Mean(), data), data.ads.probabilities.mean(axis=1))


def test_single_is_the_best_model_of_the_other_folds() -> None:
    data, test = made_stack(n=90)
    data = data.of_models(data.models[::-1])
    test = test.of_models([2, 1, 0])
    output = cross_fit(Single(), data, test)
    models = data.ads.probabilities
    for k in data.folds:
        rest = data.fold != k
        best = np.argmax([gap(data.labels[rest], models[rest, m]) for m in range(3)])
        assert in_the_same_order(output.oof[~rest], models[~rest, best])
        assert in_the_same_order(output.fold_test[k], test.probabilities[:, best])


def test_single_has_the_scale_of_the_mean_of_all_models() -> None:
    data, _ = made_stack(n=90)
    found = Single().fit(data).predict_proba(data.ads)
    mean = data.ads.probabilities.mean(axis=1)
    np.testing.assert_allclose(np.sort(found, axis=None), np.sort(mean, axis=None), atol=1e-6)


def in_the_same_order(found: np.ndarray, expected: np.ndarray) -> bool:
    """Whether one is a rising function of the other, up to ties."""
    order = np.argsort(expected, axis=None, kind="stable")
    return bool((np.diff(found.ravel()[order]) >= 0).all())


def test_single_without_a_true_tag_to_tell_by_is_the_first_model() -> None:
    data, _ = made_stack()
    oof = oof_of(Single(), replace(data, labels=np.zeros_like(data.labels)))
    for k in data.folds:
        held_out = data.fold == k
        assert in_the_same_order(oof[held_out], data.ads.probabilities[held_out, 0])


def test_logit_mean_is_the_sigmoid_of_the_mean_logit() -> None:
    data, _ = made_stack()
    held = np.clip(data.ads.probabilities.astype(np.float64), 1e-4, 1 - 1e-4)
    expected = expit(logit(held).mean(axis=1))
    np.testing.assert_allclose(oof_of(LogitMean(), data), expected, rtol=1e-4)


def test_rank_counts_the_share_below_and_half_of_the_equal() -> None:
    among = np.array([0.1, 0.2, 0.2, 0.9])
    ranks = pooled_rank(np.array([[0.0, 0.1], [0.2, 1.0]]), among)
    np.testing.assert_allclose(ranks, [[0, 0.125], [0.5, 1]])


def test_rank_mean_does_not_mind_the_scale_of_a_model() -> None:
    data, _ = made_stack()
    squeezed = data.ads.probabilities.copy()
    squeezed[:, 1] = squeezed[:, 1] / 8  # exact in binary: no two values become equal
    before, after = (oof_of(RankMean(), one) for one in (data, with_probabilities(data, squeezed)))
    for fold in data.folds:
        first, second = (oof[data.fold == fold].ravel() for oof in (before, after))
        assert (np.diff(second[np.lexsort((second, first))]) >= 0).all()


def test_rank_mean_of_one_model_is_that_model() -> None:
    """Its ranks, given as probabilities of the same standing, are its probabilities again."""
    data, _ = made_stack(n=600, n_models=1)
    found = oof_of(RankMean(), data)
    np.testing.assert_allclose(found, data.ads.probabilities[:, 0], atol=0.01)


def test_rank_mean_of_a_few_values_is_nearly_that_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    data, _ = made_stack(n=600)
    whole = oof_of(RankMean(), data)
    monkeypatch.setattr("competition.level2.learners.rank_mean.MOST", 500)
    thinned = oof_of(RankMean(), data)
    assert not np.array_equal(thinned, whole)
    np.testing.assert_allclose(thinned, whole, atol=0.01)


def test_rank_mean_keeps_rare_tags_below_common_ones() -> None:
    data, _ = made_stack(n=200)
    constant = np.broadcast_to(np.float32([0.9, 0.5, 0.3, 0.1, 0.01]), data.ads.probabilities.shape)
    oof = oof_of(RankMean(), with_probabilities(data, constant.copy()))
    assert (np.diff(oof.mean(axis=0)) < 0).all()


def test_logreg_is_one_regression_for_each_tag() -> None:
    data, _ = made_stack(n=150)
    training, held_out = data.fold != 1, data.fold == 1
    logits = Logits(data.ads).of_ads(np.arange(150))
    model = LogisticRegression(tol=1e-8).fit(logits[training, :, 3], data.labels[training, 3])
    np.testing.assert_allclose(
        oof_of(LogReg(), data)[held_out, 3],
        model.predict_proba(logits[held_out, :, 3])[:, 1],
        atol=1e-3,
    )


def test_logreg_gives_a_tag_that_no_training_ad_carries_its_prior() -> None:
    data, _ = made_stack()
    labels = data.labels.copy()
    labels[:, 2] = data.fold == 0
    oof = oof_of(LogReg(), replace(data, labels=labels))
    held_out = data.fold == 0
    np.testing.assert_allclose(oof[held_out, 2], 0.5 / (np.sum(~held_out) + 1), rtol=1e-5)


@pytest.mark.parametrize("n", [150, 2000])
def test_pooled_beats_the_mean_of_unequal_models(n: int) -> None:
    data, _ = made_stack(n=n, n_models=4, n_tags=10)
    found = gap(data.labels, oof_of(Pooled(), data))
    assert found > gap(data.labels, data.ads.probabilities.mean(axis=1)) + 0.02


def test_pooled_beats_a_regression_per_tag_on_few_ads_and_many_tags() -> None:
    data, _ = made_stack(n=100, n_models=6, n_tags=30)
    pooled, alone = (gap(data.labels, oof_of(L(), data)) for L in (Pooled, LogReg))
    assert pooled > alone


def test_prior_logits_add_half_an_ad_to_either_side() -> None:
    labels = np.array([[1, 0, 1], [1, 0, 0], [1, 0, 1]], np.uint8)
    np.testing.assert_allclose(expit(prior_logits(labels)), [3.5 / 4, 0.5 / 4, 2.5 / 4], rtol=1e-6)


def test_pairs_describe_the_tags_of_one_ad_after_the_other() -> None:
    data, _ = made_stack()
    training, others = data.take(np.arange(40)), data.ads.take(np.arange(40, 60))
    pairs = fit_pairs(training).of_ads(others)
    logits = Logits(others).of_ads(np.arange(20))
    ad, tag = 7, 3
    mean = logits[ad].mean(axis=0)
    expected = [
        *logits[ad, :, tag],
        mean[tag],
        logits[ad, :, tag].std(),
        prior_logits(training.labels)[tag],
        mean.max(),
        mean[tag] - mean.max(),
        expit(mean).sum(),
    ]
    np.testing.assert_allclose(pairs[ad * 5 + tag, : len(expected)], expected, rtol=1e-5)


def test_certainty_is_held_to_the_floor_in_pairs() -> None:
    data, _ = made_stack()
    certain = with_probabilities(data, np.round(data.ads.probabilities))
    pairs = fit_pairs(certain).of_ads(certain.ads)
    assert np.abs(pairs[:, :3]).max() == pytest.approx(-logit(PROBABILITY_FLOOR), rel=1e-4)
