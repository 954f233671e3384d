"""Every registered meta-learner keeps the contract, and the contract catches those that do not."""

import inspect
from typing import Any, ClassVar

import numpy as np
import pytest

from competition.level2.base import MetaLearner
from competition.level2.data import Ads, StackData
from competition.level2.registry import find_meta_learners, get_meta_learner
from competition.testing.level2 import MetaLearnerContract

QUICK: dict[str, dict[str, Any]] = {
    "dnn": {"hidden": (8, 8), "min_steps": 5, "epochs": 1, "batch_size": 16, "seeds": 2},
    "corrector": {"rounds": (5, 10)},
    "paper_dnn": {"hidden": (64, 32), "epochs": 15, "learning_rate": 1e-2, "dropout": 0.1},
    "lightgbm": {"n_estimators": 15},
    "xgboost": {"n_estimators": 15},
}
RANKS = ("greedy", "single")
N_ADS = {"paper_dnn": 1000}


class TestRegistered(MetaLearnerContract):
    @pytest.fixture(autouse=True, params=find_meta_learners())
    def entry(self, request: pytest.FixtureRequest) -> None:
        self.name = request.param
        self.ranks = self.name in RANKS
        self.n_ads = N_ADS.get(self.name, MetaLearnerContract.n_ads)

    def make(self) -> MetaLearner:
        return get_meta_learner(self.name).make(**QUICK.get(self.name, {}))


class Sound(MetaLearner):
    """The mean of probabilities, drawn a little towards the share of each tag."""

    def __init__(self, weight: float = 0.1) -> None:
        self.weight = weight

    def _fit(self, data: StackData) -> None:
        self.share_ = data.labels.mean(axis=0)

    def _predict_proba(self, ads: Ads) -> np.ndarray:
        mean = ads.probabilities.mean(axis=1)
        return mean + self.weight * (self.share_ - mean)


class TestSound(MetaLearnerContract):
    def make(self) -> Sound:
        return Sound()


class ReturnsDoubles(Sound):
    def predict_proba(self, ads):
        return super().predict_proba(ads).astype(float)


class DropsSingleTag(Sound):
    def predict_proba(self, ads):
        found = super().predict_proba(ads)
        return found.ravel() if found.shape[1] == 1 else found


class ReturnsMargins(Sound):
    def _predict_proba(self, ads):
        return 3 * super()._predict_proba(ads) - 1


class ReturnsNothing(Sound):
    def fit(self, data):
        super().fit(data)


class MovesRows(Sound):
    def _predict_proba(self, ads):
        return np.roll(super()._predict_proba(ads), 1, axis=0)


class HoardsLabels(Sound):
    """What one fit has seen, the next one knows."""

    seen: ClassVar[dict[float, np.ndarray]] = {}

    def _fit(self, data):
        super()._fit(data)
        of_ad = zip(data.ads.probabilities[:, 0, 0], data.labels, strict=True)
        self.seen.update((float(key), labels) for key, labels in of_ad)

    def _predict_proba(self, ads):
        found = super()._predict_proba(ads)
        for row, key in enumerate(ads.probabilities[:, 0, 0]):
            found[row] = self.seen.get(float(key), found[row])
        return found


class RanksAmongThePredicted(Sound):
    def _predict_proba(self, ads):
        mean = super()._predict_proba(ads)
        return np.argsort(np.argsort(mean, axis=None)).reshape(mean.shape) / mean.size


class CountsMissing(Sound):
    def _predict_proba(self, ads):
        return super()._predict_proba(ads) * (1 - 0.1 * ads.missing.mean())


class CodesByFrequency(Sound):
    def _predict_proba(self, ads):
        share = ads.metadata["kind"].map(ads.metadata["kind"].value_counts(normalize=True))
        return super()._predict_proba(ads) * share.to_numpy()[:, None]


class ScalesByBatch(Sound):
    def _predict_proba(self, ads):
        found = super()._predict_proba(ads)
        return found / found.max(axis=0)


class KnowsItsTopK(Sound):
    def _fit(self, data):
        super()._fit(data)
        self.share_ = self.share_ * min(data.top_k, 3) / 3


class DrawsUnseeded(Sound):
    def _fit(self, data):
        self.share_ = np.random.default_rng().random(data.labels.shape[1])


class StartsWarm(Sound):
    def _fit(self, data):
        old = vars(self).get("share_", np.zeros(1)).mean()
        super()._fit(data)
        self.share_ = (self.share_ + old) / 2


class SumsInThreads(Sound):
    def _fit(self, data):
        chunks = np.array_split(data.labels.astype(np.float32), data.n_threads)
        total = sum(np.log1p(chunk).sum(axis=0) for chunk in chunks)
        self.share_ = total / np.float32(1.1 * len(data.labels))


class ReadsTheWholeFile(Sound):
    def _predict_proba(self, ads):
        return super()._predict_proba(Ads(ads._array[: len(ads)], ads.metadata, ads.missing))


class ForgetsOnSaving(Sound):
    @classmethod
    def load(cls, folder):
        learner = super().load(folder)
        learner.share_ = learner.share_[::-1]
        return learner


class KeepsEstimator(Sound):
    def _fit(self, data):
        from sklearn.dummy import DummyClassifier

        super()._fit(data)
        self.model_ = DummyClassifier()


class KeepsObjects(Sound):
    def _fit(self, data):
        super()._fit(data)
        self.kinds_ = data.ads.metadata["kind"].to_numpy(dtype=object)


class HidesWhatItLearned(Sound):
    def _fit(self, data):
        super()._fit(data)
        self._cache = self.share_


class ChangesProbabilities(Sound):
    def _fit(self, data):
        data.ads.probabilities[0] = 0.5
        super()._fit(data)


class PreparesInConstructor(Sound):
    def __init__(self, weight=0.1):
        super().__init__(weight)
        self.rng = np.random.default_rng()


class ConvertsInConstructor(Sound):
    def __init__(self, weight=(0.1,)):
        self.weight = np.array(weight)


class Unchecked(Sound):
    def fit(self, data):
        self.models_, self.n_tags_ = data.models, data.labels.shape[1]
        self._fit(data)
        return self

    def predict_proba(self, ads):
        if "share_" not in vars(self):
            return np.zeros((len(ads), 5), dtype=np.float32)
        return np.asarray(self._predict_proba(ads), dtype=np.float32)


class RaisesAttributeError(Sound):
    def predict_proba(self, ads):
        return super().predict_proba(ads) if self.share_.any() else ads.probabilities[:, 0]


SHAPE = "predicts_probabilities_of_the_right_shape_from"
OTHERS = "what_is_known_of_an_ad_does_not_change_a_bit_of_the_others"
LABELS = "labels_of_held_out_ads_do_not_change_a_bit_of_their_predictions"
BROKEN: list[tuple[type[MetaLearner], str, dict[str, Any], str]] = [
    (ReturnsDoubles, SHAPE, {"case": "one model"}, "got float64"),
    (DropsSingleTag, SHAPE, {"case": "one tag"}, "must have the shape"),
    (ReturnsMargins, SHAPE, {"case": "one model"}, "must lie between 0 and 1"),
    (ReturnsNothing, "fit_returns_the_learner", {}, "return self"),
    (MovesRows, "beats_the_mean_model", {}, "rows and labels stay together"),
    (HoardsLabels, LABELS, {}, "keep nothing of another fit"),
    (RanksAmongThePredicted, OTHERS, {"what": "probabilities"}, "scales, ranks"),
    (CountsMissing, OTHERS, {"what": "missing"}, "The missing of one ad changed"),
    (CodesByFrequency, OTHERS, {"what": "metadata"}, "vocabularies in fit"),
    (ScalesByBatch, "prediction_does_not_depend_on_the_other_ads", {}, "predicted alone"),
    (KnowsItsTopK, "top_k_is_obeyed", {}, "changes and says ranks = False"),
    (DrawsUnseeded, "same_seed_same_bytes", {}, "Seed every random generator"),
    (StartsWarm, "fitting_again_forgets_the_first_fit", {}, "fit must start anew"),
    (SumsInThreads, "number_of_threads_does_not_change_a_bit", {}, "With two threads"),
    (ReadsTheWholeFile, "ads_in_a_file_give_the_same_bytes", {}, "lie in a file"),
    (ForgetsOnSaving, "saved_learner_predicts_the_same_bytes", {}, "saved and loaded"),
    (KeepsEstimator, "what_is_learned_is_plain_data", {}, "DummyClassifier"),
    (KeepsObjects, "what_is_learned_is_plain_data", {}, "array of objects"),
    (HidesWhatItLearned, "what_is_learned_is_plain_data", {}, "'_cache'"),
    (ChangesProbabilities, "arguments_stay_as_they_are", {}, "Work on a copy"),
    (PreparesInConstructor, "constructor_only_stores_its_parameters", {}, "rng"),
    (ConvertsInConstructor, "constructor_only_stores_its_parameters", {}, "'weight'"),
    (Unchecked, "predicting_before_fitting_is_refused", {}, "but it did not"),
    (RaisesAttributeError, "predicting_before_fitting_is_refused", {}, "it raised Attribute"),
    (Unchecked, "other_models_are_refused", {}, "but it did not"),
    (Unchecked, "what_is_no_probability_is_refused", {"bad": np.nan}, "but it did not"),
]


@pytest.mark.parametrize(("learner", "test", "given", "message"), BROKEN)
def test_contract_catches_a_broken_learner(learner, test, given, message, tmp_path):
    contract = MetaLearnerContract()
    contract.make = learner
    check = getattr(contract, f"test_{test}")
    if "tmp_path" in inspect.signature(check).parameters:
        given = {**given, "tmp_path": tmp_path}
    with pytest.raises(AssertionError, match=message):
        check(**given)


def test_every_check_of_the_contract_catches_something():
    checks = {n.removeprefix("test_") for n in dir(MetaLearnerContract) if n[:5] == "test_"}
    assert checks == {test for _, test, _, _ in BROKEN}


def test_contract_catches_a_learner_that_ranks_by_a_number_of_its_own():
    class RanksTwenty(type(get_meta_learner("single").make())):
        def _fit(self, data):
            from dataclasses import replace

            super()._fit(replace(data, top_k=20))

    contract = MetaLearnerContract()
    contract.make, contract.ranks = RanksTwenty, True
    with pytest.raises(AssertionError, match="does not change and says ranks = True"):
        contract.test_top_k_is_obeyed()


def test_contract_without_make_says_what_to_write():
    with pytest.raises(NotImplementedError, match=r"needs a method `make\(self\)`"):
        MetaLearnerContract().make()
