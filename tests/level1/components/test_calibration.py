"""Sigmoids against scikit-learn's, and what keeps them from misleading."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.calibration import _sigmoid_calibration

from competition.level1.components import calibration
from competition.level1.components.calibration import cross_validated_decisions, fit_sigmoid


def drawn(slope, intercept, n=3000, seed=0):
    """Decisions and labels whose probabilities are known sigmoids."""
    rng = np.random.default_rng(seed)
    decisions = rng.normal(size=(n, len(slope)))
    truth = 1 / (1 + np.exp(-(np.array(slope) * decisions + intercept)))
    return decisions, (rng.random(truth.shape) < truth).astype(np.uint8), truth


class TestFitSigmoid:
    def test_without_shrinkage_it_is_platts(self, monkeypatch):
        monkeypatch.setattr(calibration, "_SHRINKAGE", 0.0)
        decisions, Y, _ = drawn([0.5, 1.0, 4.0], [-3.0, 0.0, 1.0])
        sigmoid = fit_sigmoid(decisions, Y)
        for tag in range(3):
            slope, intercept = _sigmoid_calibration(decisions[:, tag], Y[:, tag])
            assert sigmoid.slope[tag] == pytest.approx(-slope, rel=1e-3)
            assert sigmoid.intercept[tag] == pytest.approx(-intercept, rel=1e-3, abs=1e-3)

    def test_finds_the_probabilities_that_labels_were_drawn_with(self):
        decisions, Y, truth = drawn([1.5, 2.0, 2.5], [-2.0, 0.0, 1.0])
        np.testing.assert_allclose(fit_sigmoid(decisions, Y)(decisions), truth, atol=0.05)

    def test_the_scale_of_decisions_does_not_matter(self):
        decisions, Y, _ = drawn([1.0, 3.0], [-1.0, 0.0])
        small, large = 1e-3 * decisions, 1e3 * decisions
        np.testing.assert_allclose(
            fit_sigmoid(small, Y)(small), fit_sigmoid(large, Y)(large), atol=1e-5
        )

    def test_a_tag_with_one_misranked_positive_keeps_a_rising_sigmoid(self):
        decisions, Y, _ = drawn([2.0, 2.0, 2.0], [0.0, 0.0, 0.0])
        Y[:, 2] = 0
        Y[decisions[:, 2].argmin(), 2] = 1
        assert fit_sigmoid(decisions, Y).slope[2] >= 0

    def test_decisions_that_carry_nothing_give_the_prior(self):
        decisions, Y, _ = drawn([2.0, 2.0], [0.0, -1.0])
        probabilities = fit_sigmoid(-decisions, Y)(decisions)
        np.testing.assert_allclose(probabilities, np.tile(Y.mean(axis=0), (3000, 1)), atol=0.01)

    def test_perfect_decisions_give_finite_sigmoids(self):
        decisions = np.linspace(-1, 1, 20)[:, None]
        sigmoid = fit_sigmoid(decisions, (decisions > 0).astype(np.uint8))
        assert np.isfinite(sigmoid.slope).all()


class TestCrossValidatedDecisions:
    def test_an_ad_never_meets_a_classifier_that_saw_it(self):
        own = csr_matrix(np.eye(10, dtype=np.float32))  # a feature for each ad
        Y = np.ones((10, 1), dtype=np.uint8)

        def memory(X, labels):
            return X.T @ labels.astype(np.float32), np.zeros(1, dtype=np.float32)

        np.testing.assert_array_equal(cross_validated_decisions(memory, own, Y, 0), 0)

    def test_chance_of_who_is_in_which_inner_fold_does_not_show(self):
        from scipy.sparse import csr_matrix

        Y = np.array([[1], [1], [1], [0], [0], [0], [0]], dtype=np.uint8)

        def prior_alone(X, labels):
            share = (labels.sum(axis=0) + 0.5) / (len(labels) + 1)
            return np.zeros((X.shape[1], 1)), np.log(share / (1 - share))

        decisions = cross_validated_decisions(prior_alone, csr_matrix((7, 2)), Y, 0)
        assert len(np.unique(decisions)) == 1
