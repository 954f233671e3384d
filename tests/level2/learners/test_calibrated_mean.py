"""A model of another scale costs the mean of logits score, and the calibrated mean nothing."""

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from competition.evaluation.metrics import gap
from competition.level2.crossfit import cross_fit
from competition.level2.data import StackData
from competition.level2.learners import calibrated_mean
from competition.level2.learners.calibrated_mean import CalibratedMean, beta_calibration
from competition.level2.learners.logit_mean import LogitMean
from competition.testing.stacks import made_stack, with_probabilities


def rescaled(data: StackData, model: int, scale: float, shift: float) -> StackData:
    """One model's logits become scale * logit + shift."""
    probabilities = data.ads.probabilities.copy()
    logits = scale * logit(probabilities[:, model].astype(np.float64)) + shift
    probabilities[:, model] = expit(logits).astype(np.float32)
    return with_probabilities(data, probabilities)


def test_calibration_is_a_logistic_regression_on_both_logarithms() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0.001, 0.999, 20_000)
    y = rng.random(len(p)) < expit(1.5 * np.log(p) - 0.4 * np.log1p(-p) + 0.7)
    model = LogisticRegression(C=np.inf, tol=1e-8).fit(
        np.column_stack([np.log(p), -np.log1p(-p)]), y
    )
    expected = [*model.coef_[0], model.intercept_[0]]
    np.testing.assert_allclose(beta_calibration(p, y), expected, atol=0.01)
    np.testing.assert_allclose(expected, [1.5, 0.4, 0.7], atol=0.1)


def test_ads_that_tell_nothing_leave_a_model_as_it_is() -> None:
    found = beta_calibration(np.full((4, 2), 0.5), np.array([[0, 1], [1, 0], [0, 1], [1, 0]]))
    np.testing.assert_allclose(found, [1, 1, 0], atol=1e-6)


def test_tags_that_no_or_every_ad_carries_leave_a_calibration_finite() -> None:
    p = np.full((30, 4), 0.2)
    never, always = (beta_calibration(p, np.full(p.shape, label))[2] for label in (0, 1))
    assert -10 < never < 0 < always < 10


@pytest.mark.parametrize(
    ("scale", "shift"), [(3, -2), (3, 2), (0.4, 2), (-1, 0)], ids=["sure", "bold", "flat", "turned"]
)
def test_the_scale_of_a_model_costs_the_logit_mean_score_and_the_calibrated_mean_none(
    scale: float, shift: float
) -> None:
    data, _ = made_stack(n=300, n_models=3, n_tags=10)
    distorted = rescaled(data, 2 if scale > 1 else 0, scale, shift)

    def lost(learner: CalibratedMean | LogitMean) -> float:
        before, after = (gap(data.labels, cross_fit(learner, d).oof) for d in (data, distorted))
        return before - after

    assert abs(lost(CalibratedMean())) < 0.01
    assert lost(LogitMean()) > 0.02


@pytest.mark.parametrize(("scale", "shift"), [(4, 0), (0.3, 0), (1, 2), (-1, 1)])
def test_log_loss_of_a_miscalibrated_model_falls_to_what_it_was(scale: float, shift: float) -> None:
    data, _ = made_stack(n=300, n_models=1, n_tags=10)
    distorted = rescaled(data, 0, scale, shift)
    truth = data.labels.ravel()
    before, after = (
        log_loss(truth, cross_fit(CalibratedMean(), d).oof.ravel()) for d in (data, distorted)
    )
    assert after < log_loss(truth, distorted.ads.probabilities.ravel()) - 0.02
    assert after < before + 0.01


def test_every_fold_calibrates_on_the_other_folds() -> None:
    data, _ = made_stack()
    oof = cross_fit(CalibratedMean(), data).oof
    for fold in data.folds:
        held_out = data.fold == fold
        logits = []
        for model in range(len(data.models)):
            known = data.ads.probabilities[:, model]
            a, b, c = beta_calibration(known[~held_out], data.labels[~held_out])
            p = np.clip(known[held_out].astype(np.float64), 1e-4, 1 - 1e-4)
            logits.append(a * np.log(p) - b * np.log1p(-p) + c)
        np.testing.assert_allclose(oof[held_out], expit(np.mean(logits, axis=0)), rtol=1e-3)


def test_many_ads_are_thinned_to_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    data, _ = made_stack(n=3000, n_models=2)
    whole = cross_fit(CalibratedMean(), data).oof
    monkeypatch.setattr(calibrated_mean, "PAIRS", 5000)
    thinned = cross_fit(CalibratedMean(), data).oof
    assert not np.array_equal(thinned, whole)
    np.testing.assert_allclose(thinned, whole, atol=0.05)
