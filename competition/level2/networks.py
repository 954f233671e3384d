"""Many small networks of one shape, each with its own ads, trained side by side.

A network of this size leaves a processor mostly waiting for the next call. Here one call works on
all networks: a dense layer is one batched matrix product over (network, ad, unit). Networks share
nothing but the random generator: each has its own weights, minibatches and dropout masks.
"""

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from competition.level2.features import SPREADS

if TYPE_CHECKING:
    from torch import Generator, Tensor

    Layers = list[tuple[Tensor, Tensor]]

WARM_UP = 20


class Net(NamedTuple):
    """The ads one network learns from, and those of its fold's training ads that it does not."""

    fold: int
    rows: np.ndarray
    left_out: np.ndarray


class Inputs(NamedTuple):
    """What the networks see: level-1 logits shared by all folds, the rest as each fold makes it."""

    logits: "Tensor"  # (n_ads, n_models * n_tags)
    means: "Tensor"  # (n_folds, n_models * n_tags)
    spreads: "Tensor"  # the same; infinite where a logit is constant
    designs: "Tensor"  # (n_folds, n_ads, n_columns)
    bases: "Tensor"  # (n_folds, n_ads, n_tags), logits of the linear stack

    def rows(self, folds: "Tensor", ads: "Tensor") -> "Tensor":
        """Inputs of shape (n_nets, n_ads, n_columns) for networks of these folds and their ads."""
        import torch

        logits = self.logits[ads].sub_(self.means[folds][:, None])
        logits.div_(self.spreads[folds][:, None]).clamp_(-SPREADS, SPREADS)
        return torch.cat([logits, self.designs[folds[:, None], ads]], dim=2)


def train(
    nets: list[Net],
    inputs: Inputs,
    labels: "Tensor",
    *,
    hidden: tuple[int, ...],
    dropout: float,
    epochs: float,
    min_steps: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
    random_state: int,
) -> "Layers":
    """Train all networks at once to add to the linear stack's logits; see `DNN` for parameters.

    Returns
    -------
    list of (weight, bias)
        Layer by layer, shapes (n_nets, n_in, n_out) and (n_nets, 1, n_out).
    """
    import torch
    from torch.nn import functional

    generator = torch.Generator().manual_seed(random_state)
    folds = torch.tensor([net.fold for net in nets])
    width = inputs.logits.shape[1] + inputs.designs.shape[2]
    layers = new_layers([width, *hidden, labels.shape[1]], len(nets), generator)
    most = max(len(net.rows) for net in nets)
    steps = max(min_steps, math.ceil(epochs * most / batch_size))
    batches = torch.stack([endless(net.rows, steps * batch_size, generator) for net in nets]).view(
        len(nets), steps, batch_size
    )
    optimizer = torch.optim.AdamW(
        [
            {"params": [weight for weight, _ in layers], "weight_decay": weight_decay},
            {"params": [bias for _, bias in layers], "weight_decay": 0.0},
        ],
        lr=learning_rate,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda s: min(1.0, (s + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * s / steps)),
    )
    for step in range(steps):
        ads = batches[:, step]
        units = inputs.rows(folds, ads)
        for weight, bias in layers[:-1]:
            units = functional.relu(torch.baddbmm(bias, units, weight))
            kept = torch.rand(units.shape, generator=generator) >= dropout
            units = units * kept / (1 - dropout)
        logits = torch.baddbmm(layers[-1][1], units, layers[-1][0])
        # Summed over networks, so that the gradient of each is that of its own mean loss.
        loss = len(nets) * functional.binary_cross_entropy_with_logits(
            logits + inputs.bases[folds[:, None], ads], labels[ads]
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return [(weight.detach(), bias.detach()) for weight, bias in layers]


def new_layers(sizes: list[int], n_nets: int, generator: "Generator") -> "Layers":
    """He-initialised layers (He et al. 2015, eq. 10) and an output layer of zeros."""
    import torch

    layers = []
    for i, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        weight = torch.zeros(n_nets, n_in, n_out)
        if i < len(sizes) - 2:
            weight.normal_(std=math.sqrt(2 / n_in), generator=generator)
        bias = torch.zeros(n_nets, 1, n_out)
        layers.append((weight.requires_grad_(), bias.requires_grad_()))
    return layers


def endless(rows: np.ndarray, length: int, generator: "Generator") -> "Tensor":
    """Return the first `length` rows of one random order of all `rows` after another."""
    import torch

    choice = torch.from_numpy(rows)
    rounds = math.ceil(length / len(rows))
    orders = [torch.randperm(len(rows), generator=generator) for _ in range(rounds)]
    return choice[torch.cat(orders)[:length]]


def corrections(layers: "Layers", net: int, fold: int, inputs: Inputs, ads: np.ndarray) -> "Tensor":
    """What network `net` adds to the linear stack's logits: (n_ads, n_tags)."""
    import torch

    units = inputs.rows(torch.tensor([fold]), torch.from_numpy(ads)[None])[0]
    for weight, bias in layers[:-1]:
        units = torch.relu(torch.addmm(bias[net], units, weight[net]))
    return torch.addmm(layers[-1][1][net], units, layers[-1][0][net])
