"""Models by name: what a function registers, and what needs a setting to run."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from competition.config.profile import Profile, load_profile
from competition.datasets import load_dataset
from competition.datasets.base import AdDataset, Input
from competition.level1 import registry
from competition.level1.base import Level1Model
from competition.level1.models.tfidf_logreg import TfidfLogreg
from competition.level1.registry import get_model, level1_model
from competition.pipeline.plan import plan_models
from competition.testing.level1 import Level1Contract
from competition.testing.synthetic import made_ads
from competition.utils.errors import ProfileError


def of_numbers(classifier: Any) -> Any:
    """Fill in what is missing and spread categories out: what a plain classifier needs."""
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["place", "mood [1-3], {of viewers}"]),
        (SimpleImputer(keep_empty_features=True), ["budget", "release year"]),
    )
    return make_pipeline(columns, classifier)


def forest(n_estimators: int = 10, random_state: int = 0) -> Any:
    """Trees by scikit-learn, which return a list with one array for each tag."""
    return of_numbers(RandomForestClassifier(n_estimators, random_state=random_state))


def one_by_one(C: float = 1.0) -> Any:
    """A classifier for each tag, by scikit-learn."""
    return of_numbers(OneVsRestClassifier(LogisticRegression(C=C, solver="liblinear")))


@pytest.fixture(scope="module", params=[forest, one_by_one])
def plain(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a plain classifier."""
    name = request.param.__name__
    level1_model(name, kinds=("metadata",))(request.param)
    yield name
    del registry._registry._entries[name]


class TestPlainClassifier(Level1Contract):
    kinds = ("metadata",)

    @pytest.fixture(autouse=True)
    def _named(self, plain: str) -> None:
        self.name = plain

    def make(self) -> Level1Model:
        return get_model(self.name).make()


def test_plain_classifier_has_the_hooks_and_its_own_parameters(plain: str) -> None:
    entry = get_model(plain)
    model = entry.make()
    assert (model.text_terms, list(model.files()), entry.search_space) == (None, [], None)
    assert set(entry.parameters) <= {"n_estimators", "random_state", "C"}
    assert "scikit-learn" in entry.summary
    assert entry.make.__module__ == __name__


def test_plain_classifier_predicts_what_scikit_learn_alone_does() -> None:
    X, Y = made_ads(("metadata",), 200)
    alone = one_by_one(0.5).fit(X, Y).predict_proba(X)
    level1_model("alone", kinds=("metadata",))(one_by_one)
    try:
        wrapped = get_model("alone").make(C=0.5).fit(X, Y).predict_proba(X)
    finally:
        del registry._registry._entries["alone"]
    np.testing.assert_allclose(wrapped, alone, rtol=1e-6)


def test_function_may_make_a_level1_model() -> None:
    def sharp() -> TfidfLogreg:
        return TfidfLogreg(C=100.0)

    level1_model("sharp", kinds=("text",))(sharp)
    try:
        model = get_model("sharp").make()
    finally:
        del registry._registry._entries["sharp"]
    assert isinstance(model, TfidfLogreg)
    assert model.text_terms == TfidfLogreg().text_terms


@pytest.fixture
def with_pictures(table: Path) -> AdDataset:
    dataset = load_dataset(table)
    inputs = {**dataset.inputs, "poster": Input("poster", "image", ("poster",))}
    return replace(dataset, ads=dataset.ads.assign(poster="one.jpg"), inputs=inputs)


def planned(dataset: AdDataset, *overrides: str) -> list[str]:
    profile: Profile = load_profile("text", overrides=['kinds=["image", "text"]', *overrides])
    return [one.name for one in plan_models(profile, dataset)]


def test_model_that_needs_a_setting_is_in_no_pattern(
    with_pictures: AdDataset, tmp_path: Path
) -> None:
    assert "image_classifier" not in planned(with_pictures, 'models=["*"]')
    checkpoint = f"level1.image_classifier.checkpoint={tmp_path}"
    named = planned(with_pictures, 'models=["*"]', checkpoint)
    assert "image_classifier" in named


def test_a_checkpoint_that_cannot_be_had_is_told_before_anything_is_trained(
    with_pictures: AdDataset,
) -> None:
    with pytest.raises(ProfileError, match=r"^level1\.\w+\.checkpoint: the checkpoint no/"):
        planned(with_pictures, "level1.image_classifier.checkpoint=no/such-checkpoint")


@pytest.mark.parametrize(
    "named", ['models=["image_classifier"]', "level1.image_classifier.epochs=3"]
)
def test_setting_that_is_missing_is_named(named: str, with_pictures: AdDataset) -> None:
    with pytest.raises(ProfileError, match=r"has no default checkpoint. Set level1.image_class"):
        planned(with_pictures, named)
