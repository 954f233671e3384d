"""Which of many level-1 models a costly meta-learner is shown."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from competition.evaluation.metrics import gap
from competition.level2.components.logits import to_logits
from competition.level2.components.preselection import MANY, SHOWN, preselected
from competition.level2.crossfit import cross_fit
from competition.level2.data import Ads, StackData
from competition.level2.registry import find_meta_learners, get_meta_learner
from competition.level2.selection import nested_selection

N_ADS, N_TAGS, N_MODELS = 400, 10, 60
GOOD = (7, 23, 41)  # each knows tags that the others do not


@pytest.fixture(scope="module")
def data() -> StackData:
    rng = np.random.default_rng(0)
    truth = rng.normal(-1.5, 1.5, (N_ADS, N_TAGS))
    labels = (rng.random(truth.shape) < expit(truth)).astype(np.uint8)
    models = rng.normal(-1.5, 1, (N_MODELS, N_ADS, N_TAGS))
    for place, good in enumerate(GOOD):
        known = np.arange(N_TAGS) % len(GOOD) == place
        models[good][:, known] = truth[:, known] + rng.normal(0, 0.3, (N_ADS, known.sum()))
    probabilities = expit(models).transpose(1, 0, 2).astype(np.float32)
    names = tuple(f"m{i:02}" for i in range(N_MODELS))
    missing = np.zeros((N_ADS, 0), dtype=bool)
    ads = Ads(probabilities, pd.DataFrame(index=range(N_ADS)), missing)
    fold = np.arange(N_ADS) % 4
    return StackData(names, np.zeros((N_MODELS, 0), dtype=bool), ads, labels, fold, 20)


def test_choice_is_that_of_least_squares_step_by_step(data: StackData) -> None:
    logits = to_logits(data.ads.probabilities).astype(np.float64)
    cells = (logits - logits.mean(axis=0)).transpose(0, 2, 1).reshape(-1, N_MODELS)
    cells /= np.sqrt((cells**2).sum(axis=0))
    target = (data.labels - data.labels.mean(axis=0)).ravel()
    taken: list[int] = []
    left = target
    for _ in range(SHOWN):
        gains = np.abs(cells.T @ left)
        gains[taken] = -1
        taken.append(int(gains.argmax()))
        weights, *_ = np.linalg.lstsq(cells[:, taken], target, rcond=None)
        left = target - cells[:, taken] @ weights
    assert set(taken[:3]) == set(GOOD)
    # The ridge may change which of the last, equally useless ones is taken.
    assert len(set(taken) & set(preselected(data))) >= SHOWN - 2


def test_copies_of_the_best_do_not_keep_the_others_out(data: StackData) -> None:
    probabilities = data.ads.probabilities.copy()
    probabilities[:, 44:] = probabilities[:, [GOOD[0]]]
    ads = Ads(probabilities, data.ads.metadata, data.ads.missing)
    assert set(GOOD[1:]) <= set(preselected(replace(data, ads=ads)))


@pytest.mark.parametrize("name", find_meta_learners())
def test_every_meta_learner_takes_many_models(name: str, data: StackData) -> None:
    learner = get_meta_learner(name).make()
    fitted = learner.fit(data)
    found = fitted.predict_proba(data.ads)
    assert found.shape == data.labels.shape
    assert (len(fitted.taken_) == 0) == fitted.sees_all
    if fitted.taken_:
        assert set(GOOD) <= set(fitted.taken_)
        few = replace(data, ads=data.ads).of_models([data.models[i] for i in fitted.taken_])
        same = get_meta_learner(name).make().fit(few).predict_proba(few.ads)
        np.testing.assert_array_equal(found, same)
        assert fitted.fit(few).taken_ == ()


def test_held_out_fold_has_no_part_in_the_choice(data: StackData) -> None:
    flipped = np.where((data.fold == 2)[:, None], 1 - data.labels, data.labels)
    other = replace(data, labels=flipped.astype(np.uint8))
    learner = get_meta_learner("pooled").make()
    one, two = (cross_fit(learner, given) for given in (data, other))
    assert one.learners[2].taken_ == two.learners[2].taken_
    assert one.learners[0].taken_ != two.learners[0].taken_
    np.testing.assert_array_equal(one.oof[data.fold == 2], two.oof[data.fold == 2])


def test_few_chosen_models_beat_the_mean_of_all(data: StackData) -> None:
    scores = {
        name: gap(data.labels, cross_fit(get_meta_learner(name).make(), data).oof)
        for name in ("mean", "pooled")
    }
    assert scores["pooled"] > scores["mean"] + 0.1
    assert N_MODELS > MANY


def test_choice_that_is_made_once_for_all_is_that_of_each_learner(data: StackData) -> None:
    from competition.level2.learners.pooled import Pooled
    from competition.level2.learners.rank_mean import RankMean

    for learner in (Pooled(), RankMean()):
        found = nested_selection({"one": learner, "other": learner}, data)  # neither is outrun
        expected = gap(data.labels, cross_fit(learner, data).oof)
        assert found.gaps == {"one": expected, "other": expected}


def test_labels_of_a_fold_change_none_of_its_predictions_among_many_models(
    data: StackData,
) -> None:
    from competition.level2.learners.pooled import Pooled
    from competition.level2.learners.single import Single

    candidates = {"pooled": Pooled(), "single": Single()}
    before = nested_selection(candidates, data).output.oof
    held_out = data.fold == 1
    labels = np.where(held_out[:, None], 1 - data.labels, data.labels).astype(np.uint8)
    after = nested_selection(candidates, replace(data, labels=labels)).output.oof
    np.testing.assert_array_equal(before[held_out], after[held_out])
    assert (before[~held_out] != after[~held_out]).any()


def test_best_of_many_models_is_found(data: StackData) -> None:
    from competition.level2.learners.single import Single

    gaps = [gap(data.labels, data.ads.probabilities[:, model]) for model in range(N_MODELS)]
    assert Single().fit(data).model_ == int(np.argmax(gaps))
