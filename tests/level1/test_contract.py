"""Every registered level-1 model keeps the contract, and the contract catches those that do not."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from competition.level1.base import Level1Model
from competition.level1.registry import find_models, get_model
from competition.testing.level1 import Level1Contract
from competition.testing.synthetic import N_TAGS, TAG_NAMES, made_ads
from competition.utils.errors import ModelError
from tests.made_dual import DIMS, made_dual, place_texts

# What makes a slow model quick; it must still learn what can be read off one word.
QUICK: dict[str, dict[str, Any]] = {
    "hmam": {"dim": 16, "hidden": 16, "dropout": 0.1, "epochs": 6, "learning_rate": 0.03},
    "fusion": {"width": 16, "epochs": 12, "networks": 1, "learning_rate": 1e-2, "device": "cpu"},
    "bert": {"epochs": 6, "batch_size": 16, "tuning_rate": 1e-3, "max_tokens": 40},
    "text_net": {"hidden_size": 16, "epochs": 10, "batch_size": 16},
    "frames": {"hidden": 16, "epochs": 10, "batch_size": 16},
    "sound": {"hidden": 16, "epochs": 10, "batch_size": 16},
    "fused_networks": {
        "branches": {
            "text": {
                "model": "text_net",
                "inputs": ["title", "story"],
                "parameters": {"hidden_size": 16},
            },
            "frames": {"inputs": ["visual"], "parameters": {"hidden": 16}},
            "sound": {"inputs": ["sound"], "parameters": {"hidden": 16}},
        },
        "width": 16,
        "epochs": 10,
        "batch_size": 16,
        "device": "cpu",
    },
    "lightgbm": {"n_estimators": 20, "learning_rate": 0.2},
    "xgboost": {"n_estimators": 20, "learning_rate": 0.2},
    "c2ae": {"hidden": 16, "epochs": 10, "batch_size": 16, "learning_rate": 1e-2, "device": "cpu"},
    "mlgcn": {"hidden": 16, "epochs": 10, "batch_size": 16, "learning_rate": 0.3, "device": "cpu"},
    "image_classifier": {"epochs": 8, "batch_size": 16, "learning_rate": 1e-2, "device": "cpu"},
}


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP in which the name of tag t points along dimension t of the made arrays."""
    folder = made_dual(tmp_path_factory.mktemp("clip"), "CLIP", TAG_NAMES)
    place_texts(folder, TAG_NAMES, np.eye(N_TAGS, DIMS))
    return folder


class TestRegistered(Level1Contract):
    @pytest.fixture(autouse=True, params=find_models())
    def entry(self, request: pytest.FixtureRequest) -> None:
        self.name = request.param
        self.kinds = get_model(self.name).kinds
        self.params = QUICK.get(self.name, {})
        self.inputs = ("visual",) if self.name == "zero_shot" else None
        if get_model(self.name).required == ["checkpoint"]:
            fixtures = {"bert": "tiny_bert", "zero_shot": "tiny_clip"}
            fixture = fixtures.get(self.name, "tiny_resnet")
            self.params = {**self.params, "checkpoint": str(request.getfixturevalue(fixture))}

    def make(self) -> Any:
        return get_model(self.name).make(**self.params)


class Sound(Level1Model):
    """Metadata alone: numbers, and how common a category was; a logistic model of them."""

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def _matrix(self, X: pd.DataFrame) -> np.ndarray:
        columns = [
            X[name].astype(object).map(self.shares_[name]) if name in self.shares_ else X[name]
            for name in X.columns
        ]
        return np.column_stack([np.nan_to_num(column.astype(float)) for column in columns])

    def _fit(self, X: pd.DataFrame, Y: np.ndarray) -> None:
        from sklearn.linear_model import LogisticRegression

        self.shares_ = {
            name: dict(X[name].astype(object).value_counts(normalize=True))
            for name in X.select_dtypes("category")
        }
        matrix = self._matrix(X)
        self.models_ = [LogisticRegression(solver="liblinear").fit(matrix, y) for y in Y.T]

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        matrix = self._matrix(X)
        return np.column_stack([model.predict_proba(matrix)[:, 1] for model in self.models_])


class TestSound(Level1Contract):
    kinds = ("metadata",)

    def make(self) -> Sound:
        return Sound()


class ReturnsList(Sound):
    def predict_proba(self, X):
        return list(super().predict_proba(X))


class ReturnsRows(Sound):
    def predict_proba(self, X):
        return super().predict_proba(X).T


class ReturnsDoubles(Sound):
    def predict_proba(self, X):
        return super().predict_proba(X).astype(float)


class ReturnsMargins(Sound):
    def _predict_proba(self, X):
        return 10 * super()._predict_proba(X) - 5


class TripsOverMissing(Sound):
    def predict_proba(self, X):
        result = super().predict_proba(X)
        result[X["budget"].isna()] = np.nan
        return result


class TripsOverUnseen(Sound):
    def predict_proba(self, X):
        result = super().predict_proba(X)
        result[X["place"] == "nowhere"] = np.nan
        return result


class TripsOverNoAds(Sound):
    def predict_proba(self, X):
        return super().predict_proba(X) if len(X) else np.zeros(0, dtype=np.float32)


class TripsOverRareTags(Sound):
    def predict_proba(self, X):
        result = super().predict_proba(X)
        return np.where(self.prior_ < 0.02, np.float32(np.nan), result)


class SmoothsPriors(Sound):
    def predict_proba(self, X):
        return np.clip(super().predict_proba(X), np.float32(0.01), np.float32(0.99))


class DropsSingleTag(Sound):
    def predict_proba(self, X):
        result = super().predict_proba(X)
        return result.ravel() if result.shape[1] == 1 else result


class TakesTwoTagsForOne(Sound):
    def predict_proba(self, X):
        result = super().predict_proba(X)
        return result[:, ::-1] if result.shape[1] == 2 else result


class LearnsNothing(Sound):
    def _predict_proba(self, X):
        return np.tile(self.prior_[self.learnable_], (len(X), 1))


class TakesAnyColumns(Sound):
    def predict_proba(self, X):
        return super().predict_proba(X.set_axis(self.columns_, axis=1))


class RaisesKeyError(Sound):
    def predict_proba(self, X):
        X["budget"]
        return super().predict_proba(X)


class PredictsUnfitted(Sound):
    def predict_proba(self, X):
        return super().predict_proba(X) if hasattr(self, "prior_") else np.zeros((len(X), 4))


class KnowsTagsTooWell(Sound):
    knows_tags = True

    def predict_proba(self, X):
        return super().predict_proba(X).clip(np.float32(0.6), np.float32(1))

    def _fit(self, X, Y):
        pass

    def _predict_proba(self, X):
        return np.tile(self.prior_[self.learnable_], (len(X), 1))


class PreparesInConstructor(Sound):
    def __init__(self, random_state=0):
        super().__init__(random_state)
        self.rng = np.random.default_rng(random_state)


class ConvertsInConstructor(Sound):
    def __init__(self, names=("budget",)):
        self.names = list(names)


class DrawsUnseeded(Sound):
    def _fit(self, X, Y):
        super()._fit(X.iloc[np.random.default_rng().integers(len(X), size=len(X))], Y)


class StartsWarm(Sound):
    def fit(self, X, Y):
        return self if hasattr(self, "prior_") else super().fit(X, Y)


class ReturnsNothing(Sound):
    def fit(self, X, Y):
        super().fit(X, Y)


class ForgetsOnSaving(Sound):
    @classmethod
    def load(cls, folder):
        model = super().load(folder)
        model.models_ = model.models_[::-1]
        return model


class StaysFittedInClone(Sound):
    def __sklearn_clone__(self):
        return self


class SortsAds(Sound):
    def _predict_proba(self, X):
        return super()._predict_proba(X.sort_values("budget"))


class ScalesByBatch(Sound):
    def _predict_proba(self, X):
        result = super()._predict_proba(X)
        return result / result.max(axis=0)


class ChangesAds(Sound):
    def _fit(self, X, Y):
        X.loc[:, "budget"] = X["budget"].fillna(0.0)
        super()._fit(X, Y)


class ChangesLabels(Sound):
    def fit(self, X, Y):
        super().fit(X, Y)
        Y[0] = 1 - Y[0]
        return self


class IsNoModel:
    def fit(self, X, Y):
        return self

    def predict_proba(self, X):
        return np.zeros((len(X), 4), dtype=np.float32)


BROKEN = [
    (ReturnsList, "result_has_one_row_per_ad_and_one_column_per_tag", "got list"),
    (ReturnsRows, "result_has_one_row_per_ad_and_one_column_per_tag", r"\(4, 7\)"),
    (ReturnsNothing, "result_is_float32", "return self"),
    (IsNoModel, "result_is_float32", "is no Level1Model"),
    (ReturnsDoubles, "result_is_float32", "got float64"),
    (ReturnsMargins, "result_is_between_0_and_1", "sigmoid"),
    (TripsOverMissing, "result_has_no_nan", "of complete ads are not finite"),
    (TripsOverNoAds, "no_ads_to_predict_give_no_rows", r"got \(0,\)"),
    (SmoothsPriors, "tag_with_a_single_value_gets_its_prior", "must be 0 for every ad"),
    (SmoothsPriors, "tags_that_all_have_a_single_value_get_their_priors", "must be the priors"),
    (KnowsTagsTooWell, "tag_with_a_single_value_gets_its_prior", "it must stay low"),
    (KnowsTagsTooWell, "tags_that_all_have_a_single_value_get_their_priors", "must stay low"),
    (TripsOverRareTags, "tag_with_one_positive_does_no_harm", "one training ad alone"),
    (DropsSingleTag, "one_tag", r"got \(120,\)"),
    (TakesTwoTagsForOne, "two_tags_keep_both_columns", "not the two classes"),
    (LearnsNothing, "learns_what_the_inputs_tell", "mean 0.50"),
    (TripsOverMissing, "kind_missing_from_every_ad", "where no ad has any metadata"),
    (TripsOverMissing, "every_input_missing_from_every_ad", "where no ad has any input"),
    (TripsOverMissing, "ad_with_every_input_missing", "no input at all"),
    (TripsOverUnseen, "category_that_no_training_ad_has", "not met in training"),
    (TakesAnyColumns, "other_columns_are_refused", "but it predicted"),
    (RaisesKeyError, "other_columns_are_refused", "but it raised KeyError"),
    (PredictsUnfitted, "predicting_before_fitting_is_refused", "before it is fitted"),
    (PreparesInConstructor, "constructor_only_stores_its_parameters", "rng"),
    (ConvertsInConstructor, "constructor_only_stores_its_parameters", "changes .* 'names'"),
    (DrawsUnseeded, "same_seed_gives_the_same_bytes", "random_state"),
    (StartsWarm, "fitting_again_forgets_the_first_fit", "fit must start anew"),
    (StaysFittedInClone, "clone_is_unfitted_and_fits_alike", "it has .*models_"),
    (ForgetsOnSaving, "saved_model_predicts_the_same_bytes", "saved and loaded"),
    (SortsAds, "order_of_the_ads_does_not_matter", "sorting"),
    (ScalesByBatch, "prediction_does_not_depend_on_the_other_ads", "batch statistics"),
    (ChangesAds, "arguments_stay_as_they_are", "changed X"),
    (ChangesLabels, "arguments_stay_as_they_are", "changed Y"),
]


def contract_of(model: type) -> Level1Contract:
    contract = Level1Contract()
    contract.kinds = ("metadata",)
    contract.make = model  # type: ignore[method-assign]
    return contract


@pytest.mark.parametrize(("model", "test", "message"), BROKEN)
def test_contract_catches_a_broken_model(model, test, message, tmp_path):
    check = getattr(contract_of(model), f"test_{test}")
    given = {"tmp_path": tmp_path, "prior": 0}
    wanted = {name: given[name] for name in inspect.signature(check).parameters}
    with pytest.raises(AssertionError, match=message):
        check(**wanted)


def test_every_check_of_the_contract_catches_something():
    checks = {name.removeprefix("test_") for name in dir(Level1Contract) if name[:5] == "test_"}
    assert checks == {test for _, test, _ in BROKEN}


def test_contract_without_make_says_what_to_write():
    with pytest.raises(NotImplementedError, match=r"needs a method `make\(self\)`"):
        Level1Contract().make()


def test_kind_without_made_ads_says_where_to_add_them():
    with pytest.raises(ModelError, match=r"'video' yet: add it to MAKERS"):
        made_ads(("video",))
