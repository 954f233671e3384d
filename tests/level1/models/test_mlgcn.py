"""ML-GCN: the label graph and the classifiers against direct computations, and the contract."""

import numpy as np
import torch

from competition.level1.models.mlgcn import MLGCN, classifiers, label_graph
from competition.testing.level1 import Level1Contract
from competition.testing.synthetic import made_ads


class TestMLGCN(Level1Contract):
    kinds = ("array",)

    def make(self) -> MLGCN:
        return MLGCN(hidden=32, epochs=20, device="cpu")


def test_label_graph_follows_the_conditional_frequencies() -> None:
    # Tag 0 has two ads, one with tag 1; tag 1 has four ads, one with tag 0; tag 2 is alone.
    Y = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]])
    # P(1|0) = 1/2 makes an edge, P(0|1) = 1/4 none. Rows before normalisation:
    A = np.array([[0.8, 0.2, 0], [0, 0.8, 0], [0, 0, 0.8]])
    d = 1 / np.sqrt(A.sum(axis=1))
    assert np.allclose(label_graph(Y, tau=0.4, p=0.2), np.diag(d) @ A @ np.diag(d))


def test_neighbours_share_p_evenly() -> None:
    Y = np.ones((5, 3), dtype=np.uint8)
    expected = np.full((3, 3), 0.1)
    np.fill_diagonal(expected, 0.8)
    assert np.allclose(label_graph(Y, tau=0.4, p=0.2), expected)


def test_graph_comes_from_the_training_ads_alone() -> None:
    X, Y = made_ads(("array",), 80)
    part = slice(0, 50)
    model = MLGCN(hidden=8, epochs=1, device="cpu").fit(X.iloc[part], Y[part])
    model.predict_proba(X)
    assert np.array_equal(model.graph_, label_graph(Y[part], 0.4, 0.2))


def test_classifiers_are_two_graph_convolutions() -> None:
    rng = np.random.default_rng(0)
    A, W0, W1 = rng.normal(size=(3, 3)), rng.normal(size=(3, 4)), rng.normal(size=(4, 5))
    hidden = A @ np.eye(3) @ W0
    hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
    found = classifiers(torch.tensor(A), torch.tensor(W0), torch.tensor(W1))
    assert np.allclose(found.numpy(), A @ hidden @ W1)
