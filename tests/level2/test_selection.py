"""The gate: the choice never sees the fold it is made for, and the score pays for it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from competition.evaluation.bootstrap import GapList, resamples
from competition.evaluation.metrics import gap
from competition.level2.base import MetaLearner, StackInput, StackOutput
from competition.level2.selection import N_RESAMPLES, Gate, without_fold
from competition.utils.errors import ModelError


def ads(n: int = 90, n_models: int = 3, n_tags: int = 4, n_folds: int = 3, n_test: int = 5):
    """Level-1 models of unequal quality and no metadata."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(n + n_test, n_tags)) - 1
    labels = (rng.random(truth.shape) < 1 / (1 + np.exp(-truth))).astype(np.uint8)
    noise = rng.normal(size=(n + n_test, n_models, n_tags)) * np.linspace(0.5, 3, n_models)[:, None]
    proba = (1 / (1 + np.exp(-(truth[:, None] + noise)))).astype(np.float32)
    none = pd.DataFrame(index=range(n + n_test))
    missing = np.zeros((n + n_test, 0), dtype=bool)
    return StackInput(
        models=tuple(f"model_{m}" for m in range(n_models)),
        train=proba[:n],
        test=proba[n:],
        train_metadata=none[:n],
        test_metadata=none[n:],
        train_missing=missing[:n],
        test_missing=missing[n:],
        reads=np.zeros((n_models, 0), dtype=bool),
        labels=labels[:n],
        fold=np.arange(n) % n_folds,
    )


class One(MetaLearner):
    """Says what one level-1 model says."""

    def __init__(self, model: int = 0) -> None:
        self.model = model

    def cross_fit(self, data: StackInput, n_jobs: int = 1) -> StackOutput:
        test = np.repeat(data.test[None, :, self.model], len(data.folds), axis=0)
        return StackOutput(data.train[:, self.model], test)


class Simple(One):
    """The same, as a simple candidate."""

    complexity = 0


class Frequencies(MetaLearner):
    """Says how frequent each tag is in the other folds: honest, and all it can do is count."""

    def cross_fit(self, data: StackInput, n_jobs: int = 1) -> StackOutput:
        rates = np.stack([data.labels[data.fold != k].mean(axis=0) for k in data.folds])
        rates = rates.astype(np.float32)
        places = np.searchsorted(data.folds, data.fold)
        return StackOutput(rates[places], np.repeat(rates[:, None], len(data.test), axis=1))


class Fails(MetaLearner):
    """Needs more ads than it is given."""

    def __init__(self, n_ads: int = 10**9) -> None:
        self.n_ads = n_ads

    def cross_fit(self, data: StackInput, n_jobs: int = 1) -> StackOutput:
        if len(data.labels) < self.n_ads:
            raise ValueError(f"needs {self.n_ads} ads")
        return One(0).cross_fit(data)


class Wild(One):
    """Says more than 1."""

    def cross_fit(self, data: StackInput, n_jobs: int = 1) -> StackOutput:
        output = super().cross_fit(data)
        return replace(output, oof=output.oof + 1)


def ones(n: int = 3) -> dict[str, MetaLearner]:
    return {f"one_{m}": One(m) for m in range(n)}


def test_every_fold_has_the_candidate_that_is_best_on_the_other_folds() -> None:
    data = ads()
    gate = Gate(ones())
    output = gate.cross_fit(data)
    for k in data.folds:
        rest = data.fold != k
        gaps = [gap(data.labels[rest], data.train[rest, m]) for m in range(3)]
        best = int(np.argmax(gaps))
        assert gate.chosen_[k] == f"one_{best}"
        np.testing.assert_array_equal(output.oof[~rest], data.train[~rest, best])
        np.testing.assert_array_equal(output.fold_test[k], data.test[:, best])


def test_labels_of_a_fold_change_neither_its_choice_nor_its_predictions() -> None:
    data = ads()
    candidates = {**ones(), "frequencies": Frequencies()}
    for k in data.folds:
        labels = data.labels.copy()
        labels[data.fold == k] = 1 - labels[data.fold == k]
        first, second = Gate(candidates), Gate(candidates)
        before = first.cross_fit(data)
        after = second.cross_fit(replace(data, labels=labels))
        assert first.chosen_[k] == second.chosen_[k]
        held_out = data.fold == k
        np.testing.assert_array_equal(before.oof[held_out], after.oof[held_out])
        np.testing.assert_array_equal(before.fold_test[k], after.fold_test[k])


def test_level1_predictions_of_a_fold_do_not_change_its_choice() -> None:
    data = ads()
    train = data.train.copy()
    train[data.fold == 1] = train[data.fold == 1][:, ::-1]
    first, second = Gate(ones()), Gate(ones())
    first.cross_fit(data)
    second.cross_fit(replace(data, train=train))
    assert first.chosen_[1] == second.chosen_[1]
    assert first.inner_gaps_["one_0"][1] == second.inner_gaps_["one_0"][1]
    assert first.inner_gaps_["one_0"][0] != second.inner_gaps_["one_0"][0]


def test_choice_among_lucky_candidates_is_paid_for() -> None:
    """Forty candidates that know nothing: the best looks good, the gate does not."""
    data = ads(n=60, n_models=40)
    noise = np.random.default_rng(3).random(data.train.shape).astype(np.float32)
    gate = Gate(ones(40))
    output = gate.cross_fit(replace(data, train=noise))
    chance = np.mean(list(gate.gaps_.values()))
    assert max(gate.gaps_.values()) > chance + 0.05
    assert gap(data.labels, output.oof) < chance + 0.05


def test_shuffled_labels_score_no_better_than_the_frequencies_of_tags() -> None:
    from competition.level2.learners.dnn import DNN

    data = ads(n=120)
    order = np.random.default_rng(5).permutation(120)
    data = replace(data, labels=data.labels[order])
    candidates = {**ones(), "dnn": DNN(hidden=(8, 8), min_steps=20, epochs=1, seeds=1)}
    output = Gate(candidates).cross_fit(data)
    frequencies = gap(data.labels, Frequencies().cross_fit(data).oof)
    assert gap(data.labels, output.oof) < frequencies + 0.03


def test_candidate_that_fails_is_told_and_left_out() -> None:
    gate = Gate({"fails": Fails(), **ones()})
    gate.cross_fit(ads())
    assert gate.failed_ == {"fails": "ValueError: needs 1000000000 ads"}
    assert set(gate.gaps_) == {"one_0", "one_1", "one_2"}


def test_candidate_that_fails_without_a_fold_alone_is_left_out_of_all() -> None:
    data = ads()
    gate = Gate({"fails": Fails(len(data.labels)), **ones()})
    gate.cross_fit(data)
    assert set(gate.failed_) == {"fails"}
    assert "fails" not in gate.chosen_


def test_candidate_that_predicts_no_probabilities_is_left_out() -> None:
    gate = Gate({"wild": Wild(), **ones()})
    gate.cross_fit(ads())
    assert "outside [0, 1]" in gate.failed_["wild"]


def test_where_all_fail_their_reasons_are_told() -> None:
    with pytest.raises(ModelError, match="Every meta-learner failed:\n  a: ValueError: needs"):
        Gate({"a": Fails(), "b": Fails()}).cross_fit(ads())


def test_one_candidate_alone_needs_no_choice_and_no_third_fold() -> None:
    data = ads(n_folds=2)
    gate = Gate({"one": One(1)})
    np.testing.assert_array_equal(gate.cross_fit(data).oof, data.train[:, 1])
    assert gate.inner_gaps_ == {"one": []}


def test_two_folds_are_too_few_to_choose_with() -> None:
    with pytest.raises(ModelError, match="three folds or more"):
        Gate(ones()).cross_fit(ads(n_folds=2))


def slightly_worse(data: StackInput) -> StackInput:
    """The second model differs from the first in so little that chance might explain it."""
    train = data.train.copy()
    train[:, 1] = train[:, 0]
    train[:6, 1] = 1 - train[:6, 0]
    return replace(data, train=train)


def test_simpler_candidate_within_one_standard_error_goes_before_the_best() -> None:
    data = slightly_worse(ads())
    gate = Gate({"best": One(0), "simple": Simple(1)})
    gate.cross_fit(data)
    gaps, errors = gate.inner_gaps_, gate.inner_errors_
    for k in data.folds:
        rest = data.fold != k
        lists = [GapList(data.labels[rest], data.train[rest, m], 20) for m in range(2)]
        draws = list(resamples(data.labels[rest].any(axis=1), N_RESAMPLES, 0))
        error = np.std([lists[1].gap(draw) - lists[0].gap(draw) for draw in draws], ddof=1)
        assert errors["simple"][k] == pytest.approx(error)
        within = gaps["simple"][k] >= gaps["best"][k] - error
        assert gate.chosen_[k] == ("simple" if within else "best")
    assert "simple" in gate.chosen_
    assert all(gaps["simple"][k] < gaps["best"][k] for k in data.folds)


def test_simpler_candidate_that_is_clearly_worse_is_not_taken() -> None:
    gate = Gate({"best": One(0), "simple": Simple(2)})
    gate.cross_fit(ads(n=300))
    assert gate.chosen_ == ["best"] * 3


def test_among_equally_simple_candidates_the_best_is_taken_however_near() -> None:
    gate = Gate({"worse": One(1), "best": One(0)})
    gate.cross_fit(slightly_worse(ads()))
    assert gate.chosen_ == ["best"] * 3


def test_stack_of_one_good_model_among_guesses_does_not_fall_below_it() -> None:
    from competition.level2.learners.pooled import Pooled
    from competition.level2.learners.single import Single

    data = ads(n=60, n_models=4, n_tags=2, n_folds=5)
    train = np.random.default_rng(1).random(data.train.shape).astype(np.float32)
    train[:, 2] = 0.75 * train[:, 2] + 0.25 * data.labels
    gate = Gate({"pooled": Pooled(), "single": Single()})
    output = gate.cross_fit(replace(data, train=train))
    assert gate.gaps_["pooled"] < gate.gaps_["single"] - 0.02
    np.testing.assert_array_equal(output.oof, train[:, 2])


def test_equal_candidates_give_the_first() -> None:
    gate = Gate({"b": One(0), "a": One(0)})
    gate.cross_fit(ads())
    assert gate.chosen_ == ["b"] * 3


def test_without_a_fold_neither_its_ads_nor_test_ads_are_there() -> None:
    data = ads()
    rest = without_fold(data, 2)
    assert rest.folds == [0, 1]
    assert len(rest.test) == len(rest.test_metadata) == len(rest.test_missing) == 0
    np.testing.assert_array_equal(rest.train, data.train[data.fold != 2])
    np.testing.assert_array_equal(rest.labels, data.labels[data.fold != 2])
