"""Predictions of any scale as probabilities."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from competition.evaluation.metrics import gap
from competition.oof.external_forms import PredictionFile
from competition.oof.scales import Scale, calibrated, fitted_curve, probabilities_of
from competition.utils.errors import PredictionsError


def file_of(*values: float) -> PredictionFile:
    """One ad with a value for each tag."""
    tags = tuple(f"t{tag}" for tag in range(len(values)))
    return PredictionFile(Path("f.csv"), ("line 2",), ("ad1",), tags, np.array([values]), None)


def test_rounding_just_outside_is_clipped() -> None:
    found = probabilities_of(file_of(-9e-6, 1.0000000000000002, 1 + 9e-6, 0.3), "probability")
    assert found.tolist() == [[0.0, 1.0, 1.0, 0.3]]


@pytest.mark.parametrize("value", [1.5, -0.1, 1.0001, float("nan"), float("inf")])
def test_what_is_no_probability_is_refused_naming_the_scales(value: float) -> None:
    match = r"line 2 \(ad ad1\): the tag 't1' has .*no probability \(1 such.*--scale logit"
    with pytest.raises(PredictionsError, match=match):
        probabilities_of(file_of(0.5, value), "probability")


def test_logits_go_through_the_sigmoid() -> None:
    found = probabilities_of(file_of(0.0, np.log(3), -800.0, np.inf), "logit")
    assert found[0].tolist() == pytest.approx([0.5, 0.75, 0.0, 1.0])


@pytest.mark.parametrize(
    ("scale", "value"), [("logit", np.nan), ("score", np.inf), ("score", 1.7e308)]
)
def test_value_that_a_scale_cannot_hold_is_refused(scale: Scale, value: float) -> None:
    with pytest.raises(PredictionsError, match="the tag 't0' has"):
        probabilities_of(file_of(value), scale)


def made(n_ads: int = 400, n_tags: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities that are right, labels drawn from them, and folds."""
    rng = np.random.default_rng(0)
    truth = rng.beta(0.4, 1.5, (n_ads, n_tags))
    return truth, (rng.random(truth.shape) < truth).astype(np.uint8), np.arange(n_ads) % 5


def test_curve_passes_through_the_middles_of_the_steps_of_isotonic_regression() -> None:
    truth, labels, _ = made()
    curve = fitted_curve(truth, labels)
    steps = IsotonicRegression(y_min=1e-5, y_max=1 - 1e-5).fit(truth.ravel(), labels.ravel())
    np.testing.assert_allclose(steps.predict(curve.scores), curve.probabilities, atol=1e-12)
    assert (np.diff(curve.probabilities) > 0).all()


def test_scores_of_any_rising_scale_become_the_probabilities_that_they_stand_for() -> None:
    truth, labels, fold = made()
    for scale in (lambda p: 50 * p**0.3 - 7, np.exp, lambda p: np.log(p + 1e-9)):
        oof, _, _ = calibrated(scale(truth), scale(truth[:0]), labels, fold)
        assert abs(oof - truth).mean() < 0.05
        assert gap(labels, oof) == pytest.approx(gap(labels, truth), abs=0.02)


def test_labels_of_a_fold_change_nothing_of_its_own_probabilities() -> None:
    truth, labels, fold = made()
    before, _, _ = calibrated(truth, truth, labels, fold)
    changed = labels.copy()
    changed[fold == 2] = 1 - changed[fold == 2]
    after, test, _ = calibrated(truth, truth, changed, fold)
    np.testing.assert_array_equal(after[fold == 2], before[fold == 2])
    assert not np.array_equal(after[fold == 1], before[fold == 1])
    np.testing.assert_array_equal(test, fitted_curve(truth, changed).of(truth))


def test_ads_without_scores_teach_nothing_and_stay_without() -> None:
    truth, labels, fold = made()
    holes = truth.copy()
    holes[::7] = np.nan
    found, _, curves = calibrated(holes, holes[:0], labels, fold)
    assert np.isnan(found[::7]).all()
    kept = np.delete(np.arange(len(truth)), np.s_[::7])
    assert curves[-1] == fitted_curve(truth[kept], labels[kept])


def test_the_largest_scores_are_calibrated() -> None:
    truth, labels, fold = made()
    scores = (truth * 2 - 1) * 1e300
    np.testing.assert_allclose(
        calibrated(scores, scores, labels, fold)[0],
        calibrated(scores / 1e300, scores / 1e300, labels, fold)[0],
        atol=1e-9,
    )
