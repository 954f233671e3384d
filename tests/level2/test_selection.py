"""Nested selection: the choice never sees the fold it is made for, and the score pays for it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.evaluation.metrics import gap, gap_mean_of_folds, mean_average_precision
from competition.level2.base import MetaLearner
from competition.level2.components.halving import parts
from competition.level2.components.race import couples, ring
from competition.level2.crossfit import cross_fit
from competition.level2.data import Ads, StackData
from competition.level2.kept import KeptCrossFits
from competition.level2.selection import nested_selection
from competition.testing.stacks import with_probabilities
from competition.utils.errors import ModelError
from tests.recorded import Recorded


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

    complexity = 4

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


class Noise(MetaLearner):
    """Knows nothing, at great cost."""

    def _fit(self, data: StackData) -> None:
        pass

    def _predict_proba(self, ads: Ads) -> np.ndarray:
        digits = ads.probabilities.sum(axis=1) * 1e4
        return digits - np.floor(digits)


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


def test_weights_fall_with_the_distance_to_the_best_on_the_other_folds() -> None:
    data, test = made()
    models = data.ads.probabilities
    found = nested_selection(ones(), data, test)
    for k in data.folds:
        rest = data.fold != k
        scores = np.array([gap(data.labels[rest], models[rest, m]) for m in range(3)])
        errors = np.array([found.inner_errors[name][k] for name in ones()])
        expected = np.exp((scores - scores.max()) / np.median(errors[errors > 0]))
        expected[expected < 0.01 * expected.sum()] = 0
        weights = [found.weights[name][k] for name in ones()]
        np.testing.assert_allclose(weights, expected / expected.sum())
        assert found.chosen[k] == f"one_{scores.argmax()}"


def test_folds_and_test_ads_are_in_the_order_of_the_candidate_that_weighs_all() -> None:
    data, test = made(n=300)
    found = nested_selection({"best": One(0), "noise": Noise()}, data, test)
    assert found.weights["best"] == [1, 1, 1]
    for k in data.folds:
        rows = data.fold == k
        for raw, mapped in (
            (data.ads.probabilities[rows, 0], found.output.oof[rows]),
            (test.probabilities[:, 0], found.output.fold_test[k]),
        ):
            order = np.argsort(raw, axis=None)
            assert (np.diff(mapped.ravel()[order]) >= 0).all()


def test_labels_of_a_fold_change_neither_its_choice_nor_its_predictions() -> None:
    data, test = made()
    candidates = {**ones(), "frequencies": Frequencies()}
    before = nested_selection(candidates, data, test)
    for k in data.folds:
        labels = data.labels.copy()
        labels[data.fold == k] = 1 - labels[data.fold == k]
        after = nested_selection(candidates, replace(data, labels=labels), test)
        for name in candidates:
            nothing = [0.0] * len(data.folds)
            weights = (one.weights.get(name, nothing)[k] for one in (before, after))
            assert len(set(weights)) == 1
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
    data, _ = made(n=120)
    scores = []
    for seed in range(5, 11):  # of one shuffle the score is off chance by up to 0.03
        order = np.random.default_rng(seed).permutation(120)
        shuffled = replace(data, labels=data.labels[order])
        oof = nested_selection({**ones(), "frequencies": Frequencies()}, shuffled).output.oof
        frequencies = cross_fit(Frequencies(), shuffled).oof
        scores.append([gap(shuffled.labels, one) for one in (oof, frequencies)])
    ours, theirs = np.mean(scores, axis=0)
    assert ours < theirs + 0.01


def test_number_of_jobs_changes_no_byte() -> None:
    from competition.level2.learners.logreg import LogReg
    from competition.level2.learners.pooled import Pooled
    from competition.level2.learners.single import Single

    data, test = made()
    candidates = {"single": Single(), "pooled": Pooled(), "logreg": LogReg()}
    one, two = (nested_selection(candidates, data, test, n_jobs=n) for n in (1, 2))
    assert one.output.oof.tobytes() == two.output.oof.tobytes()
    assert one.output.fold_test.tobytes() == two.output.fold_test.tobytes()
    assert (one.weights, one.gaps, one.inner_scores) == (two.weights, two.gaps, two.inner_scores)


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


def test_stack_of_one_good_model_among_guesses_does_not_fall_below_it() -> None:
    from competition.level2.learners.pooled import Pooled
    from competition.level2.learners.single import Single

    data, _ = made(n=60, n_models=4, n_tags=2, n_folds=5)
    models = np.random.default_rng(1).random(data.ads.shape).astype(np.float32)
    models[:, 2] = 0.75 * models[:, 2] + 0.25 * data.labels
    candidates = {"pooled": Pooled(), "single": Single()}
    found = nested_selection(candidates, with_probabilities(data, models))
    assert found.gaps["pooled"] < found.gaps["single"] - 0.02
    assert gap(data.labels, found.output.oof) > gap(data.labels, models[:, 2]) - 0.02


def test_equal_candidates_weigh_the_same_and_the_first_is_named() -> None:
    found = nested_selection({"b": One(0), "a": One(0)}, made()[0])
    assert found.weights == {"b": [0.5] * 3, "a": [0.5] * 3}
    assert found.chosen == ["b"] * 3


def test_costly_candidate_that_is_far_behind_is_not_fitted_on() -> None:
    found = nested_selection({"best": One(0), "noise": Noise()}, made(n=300, n_folds=5)[0])
    assert found.outrun == ("noise",)
    assert set(found.gaps) == {"best"}


def test_costly_candidate_that_is_hopeless_is_fitted_without_few_pairs(tmp_path: Path) -> None:
    kept = KeptCrossFits(tmp_path, {"best": "1", "noise": "2"})
    candidates = {"best": One(0), "noise": Noise()}
    found = nested_selection(candidates, made(n=1500, n_folds=5)[0], kept=kept)
    assert found.outrun == ("noise",)
    fits = sorted(path.stem for path in tmp_path.glob("noise-*"))
    assert fits == ["noise-0-1", "noise-0-4", "noise-2-3"]  # each fold, and one that is not it


@pytest.mark.parametrize(("n_models", "outrun"), [(40, ()), (41, ("noise",))])
def test_of_many_models_every_candidate_has_to_keep_up(
    n_models: int, outrun: tuple[str, ...]
) -> None:
    class Cheap(Noise):
        complexity = 1

    candidates = {"best": One(0), "noise": Cheap()}
    found = nested_selection(candidates, made(n=1500, n_models=n_models, n_folds=5)[0])
    assert found.outrun == outrun


def test_labels_of_a_fold_outrun_no_candidate_for_it() -> None:
    class Costly(One):
        complexity = 5

    data, test = made(n=600, n_folds=5)
    candidates = {"one": One(0), "noise": Noise(), "costly": Costly(1), "other": Costly(2)}
    before = nested_selection(candidates, data, test)
    outrun_somewhere = set[str]()
    for k in data.folds:
        held_out = data.fold == k
        labels = data.labels.copy()
        labels[held_out] = 1 - labels[held_out]
        after = nested_selection(candidates, replace(data, labels=labels), test)
        outrun_somewhere |= set(after.outrun)
        np.testing.assert_array_equal(before.output.oof[held_out], after.output.oof[held_out])
        np.testing.assert_array_equal(before.output.fold_test[k], after.output.fold_test[k])
    assert outrun_somewhere | set(before.outrun)  # the race was run


@pytest.mark.parametrize("n_folds", range(3, 12))
def test_couples_are_in_the_ring_and_hold_every_fold(n_folds: int) -> None:
    pairs = couples(n_folds)
    assert set(pairs) <= set(ring(n_folds))
    assert {fold for pair in pairs for fold in pair} == set(range(n_folds))
    assert len(pairs) == -(-n_folds // 2)


def test_costly_candidate_that_keeps_up_is_fitted_to_the_end() -> None:
    class Costly(One):
        complexity = 5

    found = nested_selection({"one": One(0), "costly": Costly(0)}, made(n=300, n_folds=5)[0])
    assert found.outrun == ()
    assert found.weights["costly"] == [0.5] * 5


def with_scales_of_their_own() -> StackData:
    """Models of equal quality, each drawn to a power of its own: single picks others by fold."""
    data, _ = made(n=400, n_models=6, n_tags=12, n_folds=5)
    rng = np.random.default_rng(4)
    truth = rng.normal(size=data.labels.shape) - 2
    labels = (rng.random(truth.shape) < 1 / (1 + np.exp(-truth))).astype(np.uint8)
    noise = rng.normal(size=data.ads.shape)
    powers = np.array([0.1, 8, 0.3, 4, 0.15, 6])[:, None]
    models = (1 / (1 + np.exp(-(truth[:, None] + noise)))) ** powers
    return replace(with_probabilities(data, models.astype(np.float32)), labels=labels)


def test_folds_of_models_with_scales_of_their_own_fit_together() -> None:
    from competition.level2.learners.greedy import Greedy
    from competition.level2.learners.logit_mean import LogitMean
    from competition.level2.learners.mean import Mean
    from competition.level2.learners.single import Single

    data = with_scales_of_their_own()
    models = data.ads.probabilities
    picked = np.empty(data.labels.shape, dtype=np.float32)
    for k in data.folds:
        rest = data.fold != k
        best = max(range(6), key=lambda m: gap(data.labels[rest], models[rest, m]))
        picked[~rest] = models[~rest, best]
    single = cross_fit(Single(), data).oof
    candidates = {"single": Single(), "mean": Mean(), "logit": LogitMean(), "greedy": Greedy()}
    found = nested_selection(candidates, data)
    oof = found.output.oof
    lost = {
        name: gap_mean_of_folds(data.labels, one, data.fold) - gap(data.labels, one)
        for name, one in (("picked", picked), ("single", single), ("selection", oof))
    }
    if len({int(m) for m in _picks(data)}) > 1:  # the picks differ: raw, the folds do not fit
        assert lost["picked"] > 0.02
    assert lost["single"] < 0.02
    assert lost["selection"] < 0.02
    assert gap(data.labels, oof) > max(found.gaps.values()) - 0.01


def _picks(data: StackData) -> list[int]:
    models = data.ads.probabilities
    return [
        int(
            np.argmax(
                [gap(data.labels[data.fold != k], models[data.fold != k, m]) for m in range(6)]
            )
        )
        for k in data.folds
    ]


def test_metric_of_the_data_is_what_the_weights_are_made_from() -> None:
    data = replace(made()[0], metric="map")
    found = nested_selection(ones(), data)
    models, rest = data.ads.probabilities, data.fold != 0
    expected = mean_average_precision(data.labels[rest], models[rest, 1])
    assert found.inner_scores["one_1"][0] == pytest.approx(expected)


def test_kept_fits_are_read_and_damaged_ones_made_again(tmp_path: Path) -> None:
    data, test = made()
    kept = KeptCrossFits(tmp_path, dict.fromkeys(ones(), "same"))
    first = nested_selection(ones(), data, test, kept=kept)
    assert len(list(tmp_path.glob("one_0-*.npz"))) == 4
    next(tmp_path.glob("one_1-0-1.npz")).write_bytes(b"no")
    again = nested_selection(ones(), data, test, kept=kept)
    assert first.output.oof.tobytes() == again.output.oof.tobytes()
    assert first.weights == again.weights


class Learns(One):
    """Learned from few ads it says what one model says, from many what another does."""

    complexity = 5

    def __init__(self, few: int, many: int, n_ads: int) -> None:
        super().__init__(many)
        self.few = few
        self.many = many
        self.n_ads = n_ads

    def _fit(self, data: StackData) -> None:
        share = min(1.0, np.log(len(data.labels)) / np.log(self.n_ads))
        self.share_ = max(0.0, 3 * share - 2)

    def _predict_proba(self, ads: Ads) -> np.ndarray:
        few, many = (ads.probabilities[:, one] for one in (self.few, self.many))
        return (1 - self.share_) * few + self.share_ * many


class Counts(One):
    """Writes down how many ads it learns from."""

    complexity = 5

    def __init__(self, model: int = 2, file: str = "") -> None:
        super().__init__(model)
        self.file = file

    def _fit(self, data: StackData) -> None:
        with Path(self.file).open("a", encoding="utf-8") as file:
            print(len(data.labels), file=file)


def test_parts_of_the_ads_lie_within_each_other_up_to_a_quarter() -> None:
    found = parts(64_000)
    assert [len(one) for one in found] == [1_000, 4_000, 16_000]
    assert set(found[0]) < set(found[1]) < set(found[2])


def test_candidate_that_cannot_win_is_dropped_on_a_part_and_changes_nothing(
    tmp_path: Path,
) -> None:
    data, test = made(n=3200, n_folds=5)
    file = tmp_path / "sizes"
    candidates = {"best": One(0), "poor": Counts(2, str(file))}
    found = nested_selection(candidates, data, test, many_ads=3200)
    sizes = [int(line) for line in file.read_text("utf-8").split()]
    assert found.dropped == {"poor": 800}
    assert set(found.gaps) == {"best"}
    assert max(sizes) <= 800 * 0.7
    whole = nested_selection(candidates, data, test, many_ads=10**9)
    assert whole.dropped == {}
    assert found.chosen == whole.chosen
    assert found.output.oof.tobytes() == whole.output.oof.tobytes()
    assert found.output.fold_test.tobytes() == whole.output.fold_test.tobytes()


def test_candidate_that_gains_with_every_ad_is_not_dropped() -> None:
    data, _ = made(n=3200, n_folds=5)
    candidates = {"steady": One(1), "learns": Learns(2, 0, 3200)}
    small = nested_selection(candidates, data.take(np.arange(200)), many_ads=10**9)
    assert small.gaps.get("learns", 0.0) < small.gaps["steady"]
    found = nested_selection(candidates, data, many_ads=3200)
    assert "learns" not in found.dropped
    assert found.chosen == ["learns"] * 5


def test_labels_of_a_fold_drop_no_candidate_from_it() -> None:
    data, test = made(n=1600, n_models=4, n_folds=4)
    candidates = {**ones(4), "frequencies": Frequencies(), "learns": Learns(3, 0, 1600)}
    before = nested_selection(candidates, data, test, many_ads=1600)
    assert before.dropped
    for k in data.folds:
        held_out = data.fold == k
        labels = data.labels.copy()
        labels[held_out] = 1 - labels[held_out]
        after = nested_selection(candidates, replace(data, labels=labels), test, many_ads=1600)
        np.testing.assert_array_equal(before.output.oof[held_out], after.output.oof[held_out])
        np.testing.assert_array_equal(before.output.fold_test[k], after.output.fold_test[k])
        assert before.blends[k].weights == after.blends[k].weights


def test_number_of_jobs_drops_the_same_candidates() -> None:
    from competition.level2.learners.logreg import LogReg
    from competition.level2.learners.pooled import Pooled

    data, _ = made(n=800)
    candidates = {"noise": Noise(), "pooled": Pooled(), "logreg": LogReg()}
    one, two = (nested_selection(candidates, data, n_jobs=n, many_ads=800) for n in (1, 2))
    assert one.dropped == two.dropped == {"noise": 200}
    assert one.output.oof.tobytes() == two.output.oof.tobytes()


def test_of_few_ads_none_is_dropped_early() -> None:
    found = nested_selection({"best": One(0), "noise": Noise()}, made(n=300, n_folds=5)[0])
    assert found.dropped == {}


class Stops(One):
    """Fails where it learns from more ads than it can."""

    def __init__(self, model: int = 0, most: int = 0, complexity: int = 2) -> None:
        super().__init__(model)
        self.most = most
        self.complexity = complexity

    def _fit(self, data: StackData) -> None:
        if len(data.labels) > self.most:
            raise ValueError(f"{len(data.labels)} ads are too many")


def test_dropped_candidate_comes_back_where_all_that_is_left_fails() -> None:
    data, test = made(n=3200, n_folds=5)
    heard = Recorded()
    candidates = {"best": Stops(0, most=800), "poor": Stops(2, most=3200)}
    found = nested_selection(candidates, data, test, many_ads=3200, progress=heard)
    assert found.dropped == {}
    assert list(found.failed) == ["best"]
    assert found.chosen == ["poor"] * 5
    assert heard.remarks == ["level 2: what was left has failed; back come poor"]
    alone = nested_selection({"poor": One(2), "fails": Fails()}, data, test)
    assert found.output.oof.tobytes() == alone.output.oof.tobytes()


def test_where_dropped_ones_fail_too_all_reasons_are_listed() -> None:
    data, _ = made(n=3200, n_folds=5)
    candidates = {"best": Stops(0, most=800), "poor": Stops(2, most=800)}
    with pytest.raises(ModelError, match=r"(?s)Every .*  best: ValueError: .*  poor: ValueError"):
        nested_selection(candidates, data, many_ads=3200)


def test_outrun_candidate_comes_back_where_what_outran_it_fails() -> None:
    data, _ = made(n=300, n_folds=5)
    # On first fits four fifths of three quarters are learned from, at the end four fifths of all.
    found = nested_selection({"best": Stops(0, most=180, complexity=5), "noise": Noise()}, data)
    assert list(found.failed) == ["best"]
    assert found.outrun == ()
    assert found.chosen == ["noise"] * 5


def test_candidate_behind_for_some_folds_predicts_them_where_the_leader_fails() -> None:
    """It was taken out of the race for the neighbours of fold 2 alone, and fitted to all ads."""
    data, test = made(n=300, n_folds=5)
    models = data.ads.probabilities.copy()
    poor = data.fold == 2
    models[~poor, 1] = models[~poor, 0]
    models[poor, 1] = np.random.default_rng(0).random(models[poor, 1].shape)
    candidates = {
        "leads": Stops(0, most=180, complexity=5),
        "lags": Stops(1, most=300, complexity=5),
    }
    found = nested_selection(candidates, with_probabilities(data, models), test)
    assert list(found.failed) == ["leads"]
    assert found.chosen == ["lags"] * 5
