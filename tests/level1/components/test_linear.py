"""The solver against scikit-learn's exact solutions of the same objectives."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix, vstack
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from competition.level1.components.linear import fit_linear
from competition.utils.odds import prior_logits

N_ADS, N_FEATURES = 300, 500
EXACT = 1e-5


@pytest.fixture(scope="module")
def problem():
    """Weighted terms of ads whose words are as unevenly common as those of a text, and tags."""
    rng = np.random.default_rng(0)
    common = 1 / np.arange(1, N_FEATURES + 1)
    counts = rng.poisson(60 * common / common.sum(), size=(N_ADS, N_FEATURES))
    idf = 1 + np.log((1 + N_ADS) / (1 + (counts > 0).sum(axis=0)))
    dense = np.log1p(counts) * idf
    dense /= np.linalg.norm(dense, axis=1, keepdims=True)
    scores = dense @ rng.normal(size=(N_FEATURES, 5)) + 0.05 * rng.normal(size=(N_ADS, 5))
    shares = np.array([0.01, 0.1, 0.3, 0.6, 0.97])
    Y = scores > [np.quantile(s, 1 - share) for s, share in zip(scores.T, shares, strict=True)]
    return csr_matrix(dense.astype(np.float32)), Y.astype(np.uint8)


def objective_gradient(X, Y, coef, intercept, loss, C, offset, variance):
    """Gradient of the primal objective, (n_features + 1, n_tags), in float64."""
    X, Y = X.astype(np.float64), Y.astype(np.float64)
    margin = X @ coef.astype(np.float64) + intercept
    if loss == "logistic":
        pull = C * (Y - 1 / (1 + np.exp(-margin)))
    else:
        sign = 2 * Y - 1
        pull = 2 * C * sign * np.maximum(0, 1 - sign * margin)
    return np.vstack([coef / variance - X.T @ pull, intercept - offset - pull.sum(axis=0)])


@pytest.mark.parametrize("C", [0.1, 1.0, 10.0])
class TestAgainstLiblinear:
    def test_logistic_regression(self, problem, C):
        X, Y = problem
        coef, intercept = fit_linear(X, Y, loss="logistic", C=C, tol=EXACT, max_sweeps=2000)
        for tag, labels in enumerate(Y.T):
            exact = LogisticRegression(solver="liblinear", C=C, tol=1e-10, max_iter=10_000)
            exact.fit(X.astype(np.float64), labels)
            scale = np.abs(exact.coef_).max()
            np.testing.assert_allclose(coef[:, tag], exact.coef_[0], atol=1e-3 * scale)
            np.testing.assert_allclose(intercept[tag], exact.intercept_[0], atol=1e-3 * scale)

    def test_support_vector_machine(self, problem, C):
        X, Y = problem
        coef, intercept = fit_linear(X, Y, loss="squared_hinge", C=C, tol=EXACT, max_sweeps=2000)
        for tag, labels in enumerate(Y.T):
            exact = LinearSVC(C=C, tol=1e-10, max_iter=100_000, dual=False)
            exact.fit(X.astype(np.float64), labels)
            scale = np.abs(exact.coef_).max()
            np.testing.assert_allclose(coef[:, tag], exact.coef_[0], atol=1e-3 * scale)
            np.testing.assert_allclose(intercept[tag], exact.intercept_[0], atol=1e-3 * scale)


class TestSolution:
    @pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
    @pytest.mark.parametrize("C", [0.3, 4.0, 100.0])
    def test_gradient_vanishes_with_offset_and_variances(self, problem, loss, C):
        X, Y = problem
        offset = prior_logits(Y)
        variance = np.random.default_rng(1).exponential(size=(N_FEATURES, Y.shape[1]))
        coef, intercept = fit_linear(
            X, Y, loss=loss, C=C, offset=offset, variance=variance, tol=EXACT, max_sweeps=5000
        )
        args = (loss, C, offset, variance)
        at_start = objective_gradient(X, Y, 0 * coef, offset, *args)
        at_end = objective_gradient(X, Y, coef, intercept, *args)
        assert (np.linalg.norm(at_end, axis=0) < 1e-3 * np.linalg.norm(at_start, axis=0)).all()

    def test_variances_do_what_scaled_features_do(self, problem):
        X, Y = problem
        scale = np.random.default_rng(1).uniform(0.2, 2, size=N_FEATURES)
        scaled, intercept = fit_linear(
            csr_matrix(X.multiply(scale)), Y, loss="logistic", C=2.0, tol=EXACT
        )
        variance = np.tile(scale[:, None] ** 2, (1, Y.shape[1]))
        coef, same_intercept = fit_linear(
            X, Y, loss="logistic", C=2.0, variance=variance, tol=EXACT
        )
        np.testing.assert_allclose(coef, scaled * scale[:, None], atol=1e-3)
        np.testing.assert_allclose(intercept, same_intercept, atol=1e-3)

    def test_a_tag_does_not_depend_on_the_tags_beside_it(self, problem):
        X, Y = problem
        together, _ = fit_linear(X, Y, loss="logistic", C=4.0, tol=EXACT)
        alone, _ = fit_linear(X, Y[:, [2]], loss="logistic", C=4.0, tol=EXACT)
        np.testing.assert_allclose(together[:, [2]], alone, atol=1e-3)

    def test_more_tags_than_a_vector_register_holds(self, problem):
        X, Y = problem
        many = np.tile(Y, (1, 7))
        coef, _ = fit_linear(X, many, loss="squared_hinge", C=0.3)
        np.testing.assert_array_equal(coef, np.tile(coef[:, :5], (1, 7)))

    def test_an_ad_twice_is_an_ad_of_twice_the_weight(self, problem):
        X, Y = problem
        once, _ = fit_linear(X, Y, loss="logistic", C=2.0, tol=EXACT)
        twice, _ = fit_linear(
            vstack([X, X], format="csr"), np.vstack([Y, Y]), loss="logistic", C=1.0, tol=EXACT
        )
        np.testing.assert_allclose(once, twice, atol=1e-3)

    def test_without_features_the_offset_alone_predicts(self, problem):
        _, Y = problem
        coef, intercept = fit_linear(
            csr_matrix((N_ADS, 0), dtype=np.float32), Y, loss="logistic", C=1.0,
            offset=prior_logits(Y), tol=EXACT,
        )  # fmt: skip
        assert coef.shape == (0, 5)
        np.testing.assert_allclose(1 / (1 + np.exp(-intercept)), Y.mean(axis=0), atol=2e-3)

    def test_same_seed_same_bytes(self, problem):
        X, Y = problem
        first, second = (fit_linear(X, Y, loss="logistic", C=4.0)[0] for _ in range(2))
        assert first.tobytes() == second.tobytes()
