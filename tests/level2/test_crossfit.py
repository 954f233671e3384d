"""Cross-fitting: each fold by a meta-learner of the others."""

from dataclasses import replace

import numpy as np
import pytest

from competition.level2.base import MetaLearner
from competition.level2.crossfit import cross_fit
from competition.level2.data import Ads, StackData
from competition.level2.learners.pooled import Pooled
from competition.testing.stacks import made_stack, with_probabilities
from competition.utils.errors import ModelError


class Notes(MetaLearner):
    """Keeps the folds that it was fitted to, and predicts their mean number over 10."""

    def _fit(self, data: StackData) -> None:
        self.folds_ = data.folds

    def _predict_proba(self, ads: Ads) -> np.ndarray:
        return np.full((len(ads), self.n_tags_), np.mean(self.folds_) / 10)


def test_every_fold_is_predicted_by_a_learner_of_the_others_in_their_folds() -> None:
    data, test = made_stack()
    data = replace(data, fold=np.array([4, 1, 7])[data.fold])
    learner = Notes()
    output = cross_fit(learner, data, test)
    assert [fitted.folds_ for fitted in output.learners] == [[4, 7], [1, 7], [1, 4]]
    for place, (fold, value) in enumerate([(1, 0.55), (4, 0.4), (7, 0.25)]):
        np.testing.assert_allclose(output.oof[data.fold == fold], value)
        np.testing.assert_allclose(output.fold_test[place], value)
    assert not hasattr(learner, "folds_")


def test_without_test_ads_there_are_no_predictions_of_them() -> None:
    output = cross_fit(Pooled(), made_stack()[0])
    assert output.fold_test.shape == (3, 0, 5)


def test_learners_predict_what_the_output_holds() -> None:
    data, test = made_stack()
    output = cross_fit(Pooled(), data, test)
    for place, fitted in enumerate(output.learners):
        np.testing.assert_array_equal(fitted.predict_proba(test), output.fold_test[place])


def test_test_ad_like_a_held_out_ad_gets_its_prediction() -> None:
    data, _ = made_stack()
    twin = np.flatnonzero(data.fold == 0)[4:5]
    output = cross_fit(Pooled(), data, data.ads.take(np.repeat(twin, 3)))
    np.testing.assert_allclose(output.fold_test[0, 1], output.oof[twin[0]], rtol=1e-5)


def test_single_fold_is_refused() -> None:
    data, _ = made_stack()
    with pytest.raises(ModelError, match="two folds or more"):
        cross_fit(Pooled(), replace(data, fold=np.zeros_like(data.fold)))


@pytest.mark.parametrize("bad", [np.nan, 1.5])
def test_ads_with_what_is_no_probability_are_named_by_their_place_in_the_data(bad: float) -> None:
    data, test = made_stack()
    training, tests = (ads.probabilities.copy() for ads in (data.ads, test))
    training[11, 1, 2] = tests[5, 1, 2] = bad
    with pytest.raises(ModelError, match=r"'model_1' predicts .* training ad number 11"):
        cross_fit(Pooled(), with_probabilities(data, training))
    with pytest.raises(ModelError, match=r"'model_1' predicts .* test ad number 5"):
        cross_fit(Pooled(), data, Ads(tests, test.metadata, test.missing))
