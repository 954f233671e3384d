"""ML-GCN: the label graph and the classifiers against direct computations, and the contract."""

from pathlib import Path

import numpy as np
import torch

from competition.level1.models.mlgcn import (
    MLGCN,
    MLGCNFeatures,
    classifiers,
    label_graph,
    name_vectors,
)
from competition.testing.level1 import Level1Contract
from competition.testing.synthetic import made_ads


class TestMLGCNFeatures(Level1Contract):
    kinds = ("array",)

    def make(self) -> MLGCNFeatures:
        return MLGCNFeatures(hidden=32, epochs=20, device="cpu")


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
    model = MLGCNFeatures(hidden=8, epochs=1, device="cpu").fit(X.iloc[part], Y[part])
    model.predict_proba(X)
    assert np.array_equal(model.graph_, label_graph(Y[part], 0.4, 0.2))


def test_classifiers_are_two_graph_convolutions() -> None:
    rng = np.random.default_rng(0)
    A, E, W0, W1 = (rng.normal(size=size) for size in ((3, 3), (3, 2), (2, 4), (4, 5)))
    hidden = A @ E @ W0
    hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
    found = classifiers(*map(torch.tensor, (A, E, W0, W1)))
    assert np.allclose(found.numpy(), A @ hidden @ W1)


def write_glove(path: Path) -> str:
    path.write_text("war 1 2 0\nlove 0 1 1\nstory 2 0 2\n", encoding="utf-8")
    return str(path)


def test_names_are_the_mean_of_their_known_words(tmp_path: Path) -> None:
    found = name_vectors(
        ["War", "Love story", "Noir love", "Noir"], write_glove(tmp_path / "glove.txt")
    )
    assert np.array_equal(found, [[1, 2, 0], [1, 0.5, 1.5], [0, 1, 1], [0, 0, 0]])


def test_encoder_and_graph_are_trained_together_on_word_vectors(
    tiny_resnet: Path, tmp_path: Path
) -> None:
    from transformers import AutoModel

    X, Y = made_ads(("image",), 60, folder=tmp_path)
    glove = write_glove(tmp_path / "glove.txt")
    names = ("war", "love", "war story", "love story")
    model = MLGCN(
        str(tiny_resnet),
        glove,
        names,
        hidden=8,
        epochs=12,
        batch_size=8,
        learning_rate=0.3,
        device="cpu",
    )
    found = model.fit(X.iloc[:40], Y[:40]).predict_proba(X.iloc[40:])
    bright = Y[40:, 1] == 1
    assert found[bright, 1].mean() > found[~bright, 1].mean() + 0.1
    before = AutoModel.from_pretrained(tiny_resnet).state_dict()
    after = model.source_.encoder.state_dict()
    assert not torch.equal(
        before["embedder.embedder.convolution.weight"],
        after["embedder.embedder.convolution.weight"],
    )
    identity = MLGCN(
        str(tiny_resnet), hidden=8, epochs=12, batch_size=8, learning_rate=0.3, device="cpu"
    )
    assert not np.allclose(found, identity.fit(X.iloc[:40], Y[:40]).predict_proba(X.iloc[40:]))
