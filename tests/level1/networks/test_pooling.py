"""Pooling modules against their formulas written out in numpy."""

import numpy as np
import pytest
import torch

from competition.level1.networks.pooling import (
    AttentionPooling,
    MeanPooling,
    NeXtVLAD,
    new_pooling,
)

LENGTHS = [5, 3, 1, 0]
DIMS = 6


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def ads() -> tuple[torch.Tensor, torch.Tensor]:
    """Four ads of 5, 3, 1 and 0 rows; what is padding is far from 0."""
    x = torch.randn(len(LENGTHS), max(LENGTHS), DIMS)
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    return torch.where(mask.unsqueeze(2), x, 100.0), mask


def rows(x: torch.Tensor, ad: int) -> np.ndarray:
    return x[ad, : LENGTHS[ad]].double().numpy()


def weights(linear: torch.nn.Linear) -> tuple[np.ndarray, np.ndarray]:
    bias = 0.0 if linear.bias is None else linear.bias.detach().double().numpy()
    return linear.weight.detach().double().numpy(), bias


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def test_mean_pooling_is_the_mean_of_the_real_rows():
    x, mask = ads()
    pooled = MeanPooling(DIMS)(x, mask).numpy()
    for ad in range(3):
        np.testing.assert_allclose(pooled[ad], rows(x, ad).mean(axis=0), rtol=1e-5, atol=1e-6)


def test_attention_pooling_is_its_formula():
    x, mask = ads()
    module = AttentionPooling(DIMS, 4)
    torch.nn.init.normal_(module.score.weight)
    pooled = module(x, mask).detach().numpy()
    (hidden, bias), (score, _) = weights(module.hidden), weights(module.score)
    for ad in range(3):
        real = rows(x, ad)
        share = softmax(np.tanh(real @ hidden.T + bias) @ score[0])
        np.testing.assert_allclose(pooled[ad], share @ real, rtol=1e-4, atol=1e-5)


def test_attention_starts_as_the_mean():
    x, mask = ads()
    torch.testing.assert_close(AttentionPooling(DIMS, 4)(x, mask), MeanPooling(DIMS)(x, mask))


def test_nextvlad_is_its_formula():
    x, mask = ads()
    clusters, groups, expansion = 3, 4, 2
    module = NeXtVLAD(DIMS, clusters, groups, expansion)
    pooled = module(x, mask).detach().numpy()
    centres = module.centres.detach().double().numpy()
    (expand, expand_bias) = weights(module.expand)
    (attend, attend_bias) = weights(module.group_attention)
    (assign, assign_bias) = weights(module.assignment)
    size = expansion * DIMS // groups
    for ad in range(3):
        total = np.zeros((clusters, size))
        for row in rows(x, ad):
            expanded = expand @ row + expand_bias
            for g in range(groups):
                attention = 1 / (1 + np.exp(-(attend[g] @ expanded + attend_bias[g])))
                of_group = slice(g * clusters, (g + 1) * clusters)
                share = softmax(assign[of_group] @ expanded + assign_bias[of_group])
                part = expanded[g * size : (g + 1) * size]
                for k in range(clusters):
                    total[k] += attention * share[k] * (part - centres[k])
        total /= np.sqrt((total**2).mean(axis=1, keepdims=True))
        np.testing.assert_allclose(pooled[ad], total.ravel(), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["mean", "attention", "nextvlad"])
def test_padding_changes_nothing(name):
    module = new_pooling(name, 8, clusters=4)
    x = torch.randn(2, 3, 8)
    longer = torch.cat([x, torch.full((2, 4, 8), 50.0)], dim=1)
    mask = torch.arange(7).expand(2, 7) < 3
    expected = module(x, torch.ones(2, 3, dtype=torch.bool))
    torch.testing.assert_close(module(longer, mask), expected)


@pytest.mark.parametrize("name", ["mean", "attention", "nextvlad"])
def test_ad_without_a_row_gives_zeros_and_no_nan_gradient(name):
    module = new_pooling(name, 8, clusters=4)
    x = torch.randn(2, 3, 8, requires_grad=True)
    mask = torch.tensor([[True, True, False], [False, False, False]])
    pooled = module(x, mask)
    assert pooled.shape == (2, module.size)
    assert not pooled[1].any()
    pooled.sum().backward()
    assert torch.isfinite(x.grad).all()


def test_nextvlad_refuses_groups_of_unequal_size():
    with pytest.raises(ValueError, match="12 dimensions cannot be split into 5 groups"):
        NeXtVLAD(6, clusters=2, groups=5)
