"""What single meta-learners compute, against direct computations."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from competition.evaluation.metrics import gap
from competition.level2.base import Ads, StackInput, prior_logits
from competition.level2.components.logits import PROBABILITY_FLOOR, Logits
from competition.level2.components.pairs import pair_features
from competition.level2.learners.logit_mean import LogitMean
from competition.level2.learners.logreg import LogReg
from competition.level2.learners.mean import Mean
from competition.level2.learners.pooled import Pooled
from competition.level2.learners.rank_mean import RankMean, pooled_rank
from competition.level2.learners.single import Single
from competition.testing.level2 import made_stack


def rows_of(data: StackInput, rows: np.ndarray) -> Ads:
    return Ads(data.train[rows], data.train_metadata.iloc[rows], data.train_missing[rows])


def test_mean_is_the_mean() -> None:
    data = made_stack()
    np.testing.assert_allclose(Mean().cross_fit(data).oof, data.train.mean(axis=1))


def test_single_is_the_best_model_of_the_other_folds() -> None:
    data = made_stack(n=90)
    data = replace(data, train=data.train[:, ::-1], test=data.test[:, ::-1])
    output = Single().cross_fit(data)
    for k in data.folds:
        rest = data.fold != k
        best = np.argmax([gap(data.labels[rest], data.train[rest, m]) for m in range(3)])
        np.testing.assert_array_equal(output.oof[~rest], data.train[~rest, best])
        np.testing.assert_array_equal(output.fold_test[k], data.test[:, best])


def test_single_without_a_true_tag_to_tell_by_is_the_first_model() -> None:
    data = made_stack()
    output = Single().cross_fit(replace(data, labels=np.zeros_like(data.labels)))
    np.testing.assert_array_equal(output.oof, data.train[:, 0])


def test_logit_mean_is_the_sigmoid_of_the_mean_logit() -> None:
    data = made_stack()
    held = np.clip(data.train.astype(np.float64), 1e-4, 1 - 1e-4)
    expected = expit(logit(held).mean(axis=1))
    np.testing.assert_allclose(LogitMean().cross_fit(data).oof, expected, rtol=1e-4)


def test_rank_counts_the_share_below_and_half_of_the_equal() -> None:
    among = np.array([0.1, 0.2, 0.2, 0.9])
    ranks = pooled_rank(np.array([[0.0, 0.1], [0.2, 1.0]]), among)
    np.testing.assert_allclose(ranks, [[0, 0.125], [0.5, 1]])


def test_rank_mean_does_not_mind_the_scale_of_a_model() -> None:
    data = made_stack()
    squeezed = data.train.copy()
    squeezed[:, 1] = squeezed[:, 1] / 8  # exact in binary: no two values become equal
    before, after = (RankMean().cross_fit(one).oof for one in (data, replace(data, train=squeezed)))
    for fold in data.folds:
        first, second = (oof[data.fold == fold].ravel() for oof in (before, after))
        assert (np.diff(second[np.lexsort((second, first))]) >= 0).all()


def test_rank_mean_of_one_model_is_that_model() -> None:
    """Its ranks, given as probabilities of the same standing, are its probabilities again."""
    data = made_stack(n=600, n_models=1)
    found = RankMean().cross_fit(data).oof
    np.testing.assert_allclose(found, data.train[:, 0], atol=0.01)


def test_rank_mean_keeps_rare_tags_below_common_ones() -> None:
    data = made_stack(n=200)
    constant = np.broadcast_to(np.float32([0.9, 0.5, 0.3, 0.1, 0.01]), data.train.shape)
    oof = RankMean().cross_fit(replace(data, train=constant.copy())).oof
    assert (np.diff(oof.mean(axis=0)) < 0).all()


def test_logreg_is_one_regression_for_each_tag() -> None:
    data = made_stack(n=150)
    training, held_out = data.fold != 1, data.fold == 1
    logits = Logits(data).of_ads(np.arange(150))
    model = LogisticRegression(tol=1e-8).fit(logits[training, :, 3], data.labels[training, 3])
    np.testing.assert_allclose(
        LogReg().cross_fit(data).oof[held_out, 3],
        model.predict_proba(logits[held_out, :, 3])[:, 1],
        atol=1e-3,
    )


def test_logreg_gives_a_tag_that_no_training_ad_carries_its_prior() -> None:
    data = made_stack()
    labels = data.labels.copy()
    labels[:, 2] = data.fold == 0
    oof = LogReg().cross_fit(replace(data, labels=labels)).oof
    held_out = data.fold == 0
    np.testing.assert_allclose(oof[held_out, 2], 0.5 / (np.sum(~held_out) + 1), rtol=1e-5)


@pytest.mark.parametrize("n", [150, 2000])
def test_pooled_beats_the_mean_of_unequal_models(n: int) -> None:
    data = made_stack(n=n, n_models=4, n_tags=10)
    found = gap(data.labels, Pooled().cross_fit(data).oof)
    assert found > gap(data.labels, data.train.mean(axis=1)) + 0.02


def test_pooled_beats_a_regression_per_tag_on_few_ads_and_many_tags() -> None:
    data = made_stack(n=100, n_models=6, n_tags=30)
    pooled, alone = (gap(data.labels, L().cross_fit(data).oof) for L in (Pooled, LogReg))
    assert pooled > alone


def test_prior_logits_add_half_an_ad_to_either_side() -> None:
    labels = np.array([[1, 0, 1], [1, 0, 0], [1, 0, 1]], np.uint8)
    np.testing.assert_allclose(expit(prior_logits(labels)), [3.5 / 4, 0.5 / 4, 2.5 / 4], rtol=1e-6)


def test_pairs_describe_the_tags_of_one_ad_after_the_other() -> None:
    data = made_stack()
    train, asked = rows_of(data, np.arange(40)), rows_of(data, np.arange(40, 60))
    pairs = pair_features(train, data.labels[:40], asked)[1]
    logits = Logits(data).of_ads(np.arange(40, 60))
    ad, tag = 7, 3
    mean = logits[ad].mean(axis=0)
    expected = [
        *logits[ad, :, tag],
        mean[tag],
        logits[ad, :, tag].std(),
        prior_logits(data.labels[:40])[tag],
        mean.max(),
        mean[tag] - mean.max(),
        expit(mean).sum(),
    ]
    np.testing.assert_allclose(pairs[ad * 5 + tag, : len(expected)], expected, rtol=1e-5)


def test_pairs_are_the_same_whoever_else_is_asked_about() -> None:
    """A category becomes common, or another the first, by ads that are asked about."""
    data = made_stack()
    train = rows_of(data, np.arange(40))
    asked = rows_of(data, np.arange(40, 60))
    kinds = asked.metadata["kind"].tolist()
    others = Ads(
        asked.probabilities,
        pd.DataFrame({"size": asked.metadata["size"], "kind": kinds[:5] + ["new"] * 15}),
        asked.missing,
    )
    first, second = (pair_features(train, data.labels[:40], x) for x in (asked, others))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1][: 5 * 5], second[1][: 5 * 5])


def test_certainty_is_held_to_the_floor_in_pairs() -> None:
    data = made_stack()
    certain = replace(data, train=np.round(data.train))
    train = rows_of(certain, np.arange(40))
    pairs = pair_features(train, data.labels[:40], train)[0]
    assert np.abs(pairs[:, :3]).max() == pytest.approx(-logit(PROBABILITY_FLOOR), rel=1e-4)
