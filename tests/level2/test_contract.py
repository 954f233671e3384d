"""Every registered meta-learner keeps the contract, and the contract catches those that do not."""

from typing import Any

import numpy as np
import pytest

from competition.level2.base import Ads, FoldwiseLearner, MetaLearner, StackInput, StackOutput
from competition.level2.registry import find_meta_learners, get_meta_learner
from competition.testing.level2 import MetaLearnerContract

QUICK: dict[str, dict[str, Any]] = {
    "dnn": {"hidden": (8, 8), "min_steps": 5, "epochs": 1, "batch_size": 16, "seeds": 2},
    "corrector": {"rounds": (5, 10)},
    "lightgbm": {"n_estimators": 15},
    "xgboost": {"n_estimators": 15},
}


class TestRegistered(MetaLearnerContract):
    @pytest.fixture(autouse=True, params=find_meta_learners())
    def entry(self, request: pytest.FixtureRequest) -> None:
        self.name = request.param

    def make(self) -> MetaLearner:
        return get_meta_learner(self.name).make(**QUICK.get(self.name, {}))


class RanksAmongTheAsked(FoldwiseLearner):
    """Its scale comes from the ads that it predicts."""

    def _fit_predict(
        self, train: Ads, labels: np.ndarray, asked: Ads, n_threads: int
    ) -> np.ndarray:
        mean = asked.probabilities.mean(axis=1)
        return np.argsort(np.argsort(mean, axis=None)).reshape(mean.shape) / mean.size


class LearnsFromAll(MetaLearner):
    """The prior of all ads, those held out too."""

    def cross_fit(self, data: StackInput, n_jobs: int = 1) -> StackOutput:
        prior = data.labels.mean(axis=0, dtype=np.float32)
        oof = data.train.mean(axis=1) * prior
        return StackOutput(oof, np.repeat((data.test.mean(axis=1) * prior)[None], 3, axis=0))


class NeverTheSame(FoldwiseLearner):
    """Draws without a seed."""

    def _fit_predict(
        self, train: Ads, labels: np.ndarray, asked: Ads, n_threads: int
    ) -> np.ndarray:
        return np.random.default_rng().random((len(asked), labels.shape[1]))


class MovesTheTestAds(FoldwiseLearner):
    """Its answers for the last ads asked about come from other rows."""

    def _fit_predict(
        self, train: Ads, labels: np.ndarray, asked: Ads, n_threads: int
    ) -> np.ndarray:
        return np.roll(asked.probabilities.mean(axis=1), 1, axis=0)


@pytest.mark.parametrize(
    ("learner", "test", "message"),
    [
        (
            LearnsFromAll,
            "test_labels_of_held_out_ads_do_not_change_a_bit_of_their_predictions",
            "its labels changed",
        ),
        (
            RanksAmongTheAsked,
            "test_test_ads_do_not_change_a_bit_of_the_others_predictions",
            "Learn nothing from test ads",
        ),
        (NeverTheSame, "test_same_seed_same_bytes", "Seed every random generator"),
        (NeverTheSame, "test_beats_the_mean_model", "rows and labels stay together"),
        (
            MovesTheTestAds,
            "test_test_ad_like_a_held_out_ad_gets_its_prediction",
            "must predict a test ad as",
        ),
    ],
)
def test_the_contract_catches(learner: type[MetaLearner], test: str, message: str) -> None:
    contract = MetaLearnerContract()
    contract.make = learner
    with pytest.raises(AssertionError, match=message):
        getattr(contract, test)()


def test_the_contract_catches_ranks_among_the_held_out_ads() -> None:
    contract = MetaLearnerContract()
    contract.make = RanksAmongTheAsked
    with pytest.raises(AssertionError, match="train of one of them changed"):
        contract.test_what_is_known_of_a_held_out_ad_does_not_change_a_bit_of_the_others("train")
