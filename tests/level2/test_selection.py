"""Nested selection: the choice never sees the fold it is made for, and the score pays for it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from competition.evaluation.bootstrap import GapList, resamples
from competition.evaluation.metrics import gap
from competition.level2.base import MetaLearner
from competition.level2.crossfit import cross_fit
from competition.level2.data import Ads, StackData
from competition.level2.selection import N_RESAMPLES, nested_selection
from competition.testing.level2 import with_probabilities
from competition.utils.errors import ModelError


def made(
    n: int = 90, n_models: int = 3, n_tags: int = 4, n_folds: int = 3, n_test: int = 5
) -> tuple[StackData, Ads]:
    """Level-1 models of unequal quality and no metadata."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(n + n_test, n_tags)) - 1
    labels = (rng.random(truth.shape) < 1 / (1 + np.exp(-truth))).astype(np.uint8)
    noise = rng.normal(size=(n + n_test, n_models, n_tags)) * np.linspace(0.5, 3, n_models)[:, None]
    proba = (1 / (1 + np.exp(-(truth[:, None] + noise)))).astype(np.float32)
    none = pd.DataFrame(index=range(n + n_test))
    missing = np.zeros((n + n_test, 0), dtype=bool)
    data = StackData(
        models=tuple(f"model_{m}" for m in range(n_models)),
        reads=np.zeros((n_models, 0), dtype=bool),
        ads=Ads(proba[:n], none[:n], missing[:n]),
        labels=labels[:n],
        fold=np.arange(n) % n_folds,
        top_k=20,
    )
    return data, Ads(proba[n:], none[n:], missing[n:])


class One(MetaLearner):
    """Says what one level-1 model says."""

    def __init__(self, model: int = 0) -> None:
        self.model = model

    def _fit(self, data: StackData) -> None:
        pass

    def _predict_proba(self, ads: Ads) -> np.ndarray:
        return ads.probabilities[:, self.model]


class Simple(One):
    """The same, as a simple candidate."""

    complexity = 0


class Frequencies(MetaLearner):
    """Says how frequent each tag is in the other folds: honest, and all it can do is count."""

    def _fit(self, data: StackData) -> None:
        self.rates_ = data.labels.mean(axis=0)

    def _predict_proba(self, ads: Ads) -> np.ndarray:
        return np.tile(self.rates_, (len(ads), 1))


class Fails(MetaLearner):
    """Needs more ads than it is given."""

    def __init__(self, n_ads: int = 10**9) -> None:
        self.n_ads = n_ads

    def _fit(self, data: StackData) -> None:
        if len(data.labels) < self.n_ads:
            raise ValueError(f"needs {self.n_ads} ads")

    def _predict_proba(self, ads: Ads) -> np.ndarray:
        return ads.probabilities[:, 0]


class Wild(One):
    """Says more than 1."""

    def _predict_proba(self, ads: Ads) -> np.ndarray:
        return super()._predict_proba(ads) + 1


class Corrects(One):
    """Uses a tenth of its correction for each fold that it learns from."""

    @property
    def correction(self) -> float:
        return self.n_folds_ / 10

    def _fit(self, data: StackData) -> None:
        self.n_folds_ = len(data.folds)


def ones(n: int = 3) -> dict[str, MetaLearner]:
    return {f"one_{m}": One(m) for m in range(n)}


def test_every_fold_has_the_candidate_that_is_best_on_the_other_folds() -> None:
    data, test = made()
    models = data.ads.probabilities
    found = nested_selection(ones(), data, test)
    for k in data.folds:
        rest = data.fold != k
        gaps = [gap(data.labels[rest], models[rest, m]) for m in range(3)]
        best = int(np.argmax(gaps))
        assert found.chosen[k] == f"one_{best}"
        np.testing.assert_array_equal(found.output.oof[~rest], models[~rest, best])
        np.testing.assert_array_equal(found.output.fold_test[k], test.probabilities[:, best])


def test_labels_of_a_fold_change_neither_its_choice_nor_its_predictions() -> None:
    data, test = made()
    candidates = {**ones(), "frequencies": Frequencies()}
    before = nested_selection(candidates, data, test)
    for k in data.folds:
        labels = data.labels.copy()
        labels[data.fold == k] = 1 - labels[data.fold == k]
        after = nested_selection(candidates, replace(data, labels=labels), test)
        assert before.chosen[k] == after.chosen[k]
        held_out = data.fold == k
        np.testing.assert_array_equal(before.output.oof[held_out], after.output.oof[held_out])
        np.testing.assert_array_equal(before.output.fold_test[k], after.output.fold_test[k])


def test_level1_predictions_of_a_fold_do_not_change_its_choice() -> None:
    data, _ = made()
    probabilities = data.ads.probabilities.copy()
    probabilities[data.fold == 1] = probabilities[data.fold == 1][:, ::-1]
    first = nested_selection(ones(), data)
    second = nested_selection(ones(), with_probabilities(data, probabilities))
    assert first.chosen[1] == second.chosen[1]
    assert first.inner_scores["one_0"][1] == second.inner_scores["one_0"][1]
    assert first.inner_scores["one_0"][0] != second.inner_scores["one_0"][0]


@pytest.mark.parametrize("top_k", [1, 4])
def test_choice_is_by_gap_over_the_top_k_of_the_data(top_k: int) -> None:
    data = replace(made()[0], top_k=top_k)
    found = nested_selection(ones(), data)
    models = data.ads.probabilities
    assert list(found.gaps.values()) == [gap(data.labels, models[:, m], top_k) for m in range(3)]
    for k in data.folds:
        rest = data.fold != k
        expected = gap(data.labels[rest], models[rest, 0], top_k)
        assert found.inner_scores["one_0"][k] == pytest.approx(expected)


def test_choice_among_lucky_candidates_is_paid_for() -> None:
    """Forty candidates that know nothing: the best looks good, the selection does not."""
    data, _ = made(n=60, n_models=40)
    noise = np.random.default_rng(3).random(data.ads.shape).astype(np.float32)
    found = nested_selection(ones(40), with_probabilities(data, noise))
    chance = np.mean(list(found.gaps.values()))
    assert max(found.gaps.values()) > chance + 0.05
    assert gap(data.labels, found.output.oof) < chance + 0.05


def test_shuffled_labels_score_no_better_than_the_frequencies_of_tags() -> None:
    from competition.level2.learners.dnn import DNN

    data, _ = made(n=120)
    order = np.random.default_rng(5).permutation(120)
    data = replace(data, labels=data.labels[order])
    candidates = {**ones(), "dnn": DNN(hidden=(8, 8), min_steps=20, epochs=1, seeds=1)}
    oof = nested_selection(candidates, data).output.oof
    frequencies = gap(data.labels, cross_fit(Frequencies(), data).oof)
    assert gap(data.labels, oof) < frequencies + 0.03


def test_number_of_jobs_changes_no_byte() -> None:
    from competition.level2.learners.logreg import LogReg
    from competition.level2.learners.pooled import Pooled
    from competition.level2.learners.single import Single

    data, test = made()
    candidates = {"single": Single(), "pooled": Pooled(), "logreg": LogReg()}
    one, two = (nested_selection(candidates, data, test, n_jobs=n) for n in (1, 2))
    assert one.output.oof.tobytes() == two.output.oof.tobytes()
    assert one.output.fold_test.tobytes() == two.output.fold_test.tobytes()
    assert (one.chosen, one.gaps, one.inner_scores) == (two.chosen, two.gaps, two.inner_scores)


def test_candidate_that_fails_is_named_and_left_out() -> None:
    found = nested_selection({"fails": Fails(), **ones()}, made()[0])
    assert list(found.failed) == ["fails"]
    assert found.failed["fails"].startswith("ValueError: needs 1000000000 ads (test_selection.py")
    assert set(found.gaps) == {"one_0", "one_1", "one_2"}


def test_candidate_that_fails_without_a_fold_alone_is_left_out_of_all() -> None:
    data, _ = made()
    found = nested_selection({"fails": Fails(60), **ones()}, data)
    assert set(found.failed) == {"fails"}
    assert "fails" not in found.chosen


def test_candidate_that_predicts_no_probabilities_is_left_out() -> None:
    found = nested_selection({"wild": Wild(), **ones()}, made()[0])
    assert "outside [0, 1]" in found.failed["wild"]


def test_where_all_fail_their_reasons_are_listed() -> None:
    with pytest.raises(ModelError, match="Every meta-learner failed:\n  a: ValueError: needs"):
        nested_selection({"a": Fails(), "b": Fails()}, made()[0])


def test_single_candidate_needs_no_choice_and_no_third_fold() -> None:
    data, _ = made(n_folds=2)
    found = nested_selection({"one": One(1)}, data)
    np.testing.assert_array_equal(found.output.oof, data.ads.probabilities[:, 1])
    assert found.chosen == ["one", "one"]
    assert found.inner_scores == found.inner_errors == {"one": []}


def test_corrections_are_those_of_the_candidates_that_have_some() -> None:
    found = nested_selection({"corrects": Corrects(1), **ones()}, made()[0])
    assert found.corrections == {"corrects": [0.2, 0.2, 0.2]}


def test_two_folds_are_too_few_to_choose_with() -> None:
    with pytest.raises(ModelError, match="three folds or more"):
        nested_selection(ones(), made(n_folds=2)[0])


def slightly_worse(data: StackData) -> StackData:
    """The second model differs from the first in so little that chance might explain it."""
    probabilities = data.ads.probabilities.copy()
    probabilities[:, 1] = probabilities[:, 0]
    probabilities[:6, 1] = 1 - probabilities[:6, 0]
    return with_probabilities(data, probabilities)


def test_simpler_candidate_within_one_standard_error_goes_before_the_best() -> None:
    data = slightly_worse(made()[0])
    found = nested_selection({"best": One(0), "simple": Simple(1)}, data)
    gaps, errors = found.inner_scores, found.inner_errors
    for k in data.folds:
        rest = data.fold != k
        models = data.ads.probabilities[rest]
        lists = [GapList(data.labels[rest], models[:, m], 20) for m in range(2)]
        draws = list(resamples(data.labels[rest].any(axis=1), N_RESAMPLES, 0))
        error = np.std([lists[1].gap(draw) - lists[0].gap(draw) for draw in draws], ddof=1)
        assert errors["simple"][k] == pytest.approx(error)
        within = gaps["simple"][k] >= gaps["best"][k] - error
        assert found.chosen[k] == ("simple" if within else "best")
    assert "simple" in found.chosen
    assert all(gaps["simple"][k] < gaps["best"][k] for k in data.folds)


def test_simpler_candidate_that_is_clearly_worse_is_not_taken() -> None:
    found = nested_selection({"best": One(0), "simple": Simple(2)}, made(n=300)[0])
    assert found.chosen == ["best"] * 3


def test_among_equally_simple_candidates_the_best_is_taken_however_near() -> None:
    found = nested_selection({"worse": One(1), "best": One(0)}, slightly_worse(made()[0]))
    assert found.chosen == ["best"] * 3


def test_stack_of_one_good_model_among_guesses_does_not_fall_below_it() -> None:
    from competition.level2.learners.pooled import Pooled
    from competition.level2.learners.single import Single

    data, _ = made(n=60, n_models=4, n_tags=2, n_folds=5)
    models = np.random.default_rng(1).random(data.ads.shape).astype(np.float32)
    models[:, 2] = 0.75 * models[:, 2] + 0.25 * data.labels
    candidates = {"pooled": Pooled(), "single": Single()}
    found = nested_selection(candidates, with_probabilities(data, models))
    assert found.gaps["pooled"] < found.gaps["single"] - 0.02
    np.testing.assert_array_equal(found.output.oof, models[:, 2])


def test_equal_candidates_give_the_first() -> None:
    assert nested_selection({"b": One(0), "a": One(0)}, made()[0]).chosen == ["b"] * 3
