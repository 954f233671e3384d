"""C2AE: its losses against direct sums, and the contract."""

import numpy as np
import torch
from torch import Tensor, nn

from competition.level1.models.c2ae import C2AEFeatures, decoding_loss, embedding_loss, gradients
from competition.testing.level1 import Level1Contract
from competition.testing.synthetic import made_ads


class TestC2AEFeatures(Level1Contract):
    kinds = ("array",)

    def make(self) -> C2AEFeatures:
        return C2AEFeatures(hidden=64, epochs=20, batch_size=60, device="cpu")


def test_decoding_loss_is_the_mean_over_pairs() -> None:
    rng = np.random.default_rng(0)
    outputs = rng.random((6, 5))
    labels = (rng.random((6, 5)) < 0.4).astype(float)
    labels[0], labels[1] = 0, 1  # no pairs
    expected = 0.0
    for output, label in zip(outputs, labels, strict=True):
        pairs = [
            np.exp(-5 * (output[p] - output[q]))
            for p in np.flatnonzero(label == 1)
            for q in np.flatnonzero(label == 0)
        ]
        expected += sum(pairs) / len(pairs) if pairs else 0
    found = decoding_loss(torch.tensor(outputs), torch.tensor(labels))
    assert np.isclose(float(found), expected / 6)


def test_embedding_loss_is_distance_and_penalty() -> None:
    rng = np.random.default_rng(0)
    x, e = rng.normal(size=(2, 7, 3)).astype(np.float32)
    expected = np.mean(np.sum((x - e) ** 2, axis=1))
    for one in (x, e):
        expected += 0.5 * np.sum((one.T @ one / 7 - np.eye(3)) ** 2)
    found = embedding_loss(torch.tensor(x), torch.tensor(e))
    assert np.isclose(float(found), expected, rtol=1e-5)


def test_orthonormal_and_equal_embeddings_cost_nothing() -> None:
    q = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 3)))[0] * np.sqrt(8)
    found = embedding_loss(torch.tensor(q, dtype=torch.float32), torch.tensor(q).float())
    assert abs(float(found)) < 1e-5


def test_latent_space_is_a_share_of_the_tags() -> None:
    X, Y = made_ads(("array",), 40)
    model = C2AEFeatures(latent=0.5, hidden=8, epochs=1, device="cpu").fit(X, Y)
    assert model.network_[0][-1].out_features == 2


def test_gradients_of_parts_are_those_of_the_whole_batch_its_covariance_included() -> None:
    torch.manual_seed(0)
    encode = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    embed, decode = nn.Linear(4, 3), nn.Linear(3, 4)
    networks = nn.ModuleList([encode, embed, decode])
    rng = np.random.default_rng(0)
    inputs, labels = torch.randn(16, 6), (torch.rand(16, 4) < 0.4).float()

    def codes(x: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        return encode(x), embed(own)

    def decoding(e: Tensor, own: Tensor) -> Tensor:
        return decoding_loss(torch.sigmoid(decode(e)), own)

    def found(most: int) -> list[Tensor]:
        gradients(networks.zero_grad, codes, decoding, inputs, labels, "cpu", rng, most)
        return [parameter.grad.clone() for parameter in networks.parameters()]

    whole = found(16)
    loss = embedding_loss(*codes(inputs, labels)) + decoding(embed(labels), labels)
    for one, other in zip(whole, torch.autograd.grad(loss, [*networks.parameters()]), strict=True):
        torch.testing.assert_close(one, other)
    for one, other in zip(found(5), whole, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
