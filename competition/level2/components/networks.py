"""Small networks of one shape over the same ads, trained side by side.

A network of this size leaves a processor mostly waiting for the next call. Here the networks of one
fold see the same minibatches, so that the widest layer of all of them is one matrix product, the
inputs are gathered once, and the few gradients are written out. Each network has its own start, its
own dropout, and its own part of the ads that it never learns from.
"""

import itertools
import math
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from competition.execution.memory import AtOnce, pieces
from competition.level2.components.features import SPREADS
from competition.level2.components.logits import BLOCK, Logits, enough

if TYPE_CHECKING:
    from torch import Tensor

    # (n_in, n_nets * n_out) and (n_nets * n_out,), then for each further layer (n_nets, n_in,
    # n_out) and (n_nets, 1, n_out)
    Layers = list[tuple[Tensor, Tensor]]

WARM_UP = 20


class Inputs(NamedTuple):
    """What the networks of one fold learn from, and what they correct; of its training ads."""

    logits: Logits
    mean: "Tensor"  # (n_models * n_tags,)
    scale: "Tensor"  # the same: 1 / spread, 0 where a logit is constant
    design: "Tensor"  # (n_ads, n_columns)
    models: "Tensor"  # (n_modalities, n_models), 1 for the models of each modality
    absent: "Tensor"  # (n_ads, n_modalities), 1 where an ad lacks all that these models read
    base: "Tensor"  # (n_ads, n_tags), logits of the linear stack
    weights: "Tensor"  # (n_tags, n_models), of the linear stack
    prior: "Tensor"  # (n_tags,), logits

    @property
    def width(self) -> int:
        return len(self.mean) + self.design.shape[1] + self.absent.shape[1]

    def of_ads(self, ads: np.ndarray) -> "Tensor":
        """What the networks see of some ads: (len(ads), width)."""
        import torch

        logits = torch.from_numpy(self.logits.of_ads(ads))
        return seen(logits, self.mean, self.scale, self.design[ads], self.absent[ads])

    def lacking(self, ads: np.ndarray, dropped: "Tensor") -> "tuple[Tensor, Tensor]":
        """What they see, and the base, where ads lack a modality more: `dropped`, like `absent`.

        Its models then answer with the tags' priors, as they do for an ad without their inputs.
        """
        import torch

        logits = torch.from_numpy(self.logits.of_ads(ads))
        base, hit = self.base[ads], torch.nonzero(dropped)[:, 0]
        change = (self.prior - logits[hit]).mul_((dropped[hit] @ self.models)[:, :, None])
        logits[hit] += change
        base[hit] += torch.einsum("amt,tm->at", change, self.weights)
        absent = self.absent[ads].maximum(dropped)
        return seen(logits, self.mean, self.scale, self.design[ads], absent), base


def seen(
    logits: "Tensor", mean: "Tensor", scale: "Tensor", design: "Tensor", absent: "Tensor"
) -> "Tensor":
    """What networks see of ads, (n_ads, width): standardised logits, then `design` and `absent`.

    The logits, (n_ads, n_models, n_tags), are changed.
    """
    import torch

    logits = logits.flatten(1).sub_(mean).mul_(scale).clamp_(-SPREADS, SPREADS)
    return torch.cat([logits, design, absent], dim=1)


def standardiser(logits: Logits) -> "tuple[Tensor, Tensor]":
    """Mean and 1 / spread of every logit over the training ads; 0 for that of a constant one."""
    import torch

    known = torch.from_numpy(logits.of_ads(enough(logits.n_ads))).flatten(1)
    spread = known.std(dim=0, correction=0)
    return known.mean(dim=0), torch.where(spread < 1e-5, 0.0, 1 / spread)


def train(
    learns: np.ndarray,
    inputs: Inputs,
    labels: np.ndarray,
    *,
    hidden: tuple[int, ...],
    dropout: float,
    modality_dropout: float,
    epochs: float,
    min_steps: int,
    max_steps: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
    seed: int,
) -> "Layers":
    """Train networks to add to the linear stack's logits; see `DNN` for parameters.

    Parameters
    ----------
    learns : ndarray of shape (n_nets, n_ads), dtype bool
        Which training ads each network learns from.
    inputs : Inputs
    labels : ndarray of shape (n_ads, n_tags), 0 or 1

    Returns
    -------
    list of (weight, bias)
        Layer by layer; see `Layers`.
    """
    import torch

    rng = np.random.default_rng(seed)
    n_nets, n_tags = len(learns), labels.shape[1]
    layers = new_layers([inputs.width, *hidden, n_tags], n_nets, rng)
    steps = math.ceil(epochs * learns.sum(axis=1).max() / batch_size)
    steps = min(max(steps, min_steps), max_steps)
    drawn = math.ceil(batch_size / learns.mean())  # so many teach a network `batch_size` on average
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

    def compute(ads: np.ndarray, dropped: "Tensor", most: int) -> "list[Tensor]":
        """Gradients of a step, the sums of those of parts of at most so many ads."""
        taught = torch.from_numpy(learns[:, ads].astype(np.float32))
        weight = taught / (n_tags * taught.sum(dim=1, keepdim=True).clamp_min(1))
        truth = torch.from_numpy(labels[ads].astype(np.float32))
        found: list[Tensor] = []
        for part in pieces(np.arange(len(ads)), most):
            known, base = inputs.lacking(ads[part], dropped[part])
            units = forward(layers, n_nets, known, dropout, rng)
            error = (units[-1] + base).sigmoid_().sub_(truth[part]).mul_(weight[:, part, None])
            more = gradients(layers, units, error, dropout)
            found = [a.add_(b) for a, b in zip(found, more, strict=True)] if found else more
        return found

    at_once = AtOnce(drawn)
    for ads in endless(len(labels), steps * drawn, rng).reshape(steps, drawn):
        dropped = torch.from_numpy(one_dropped(drawn, len(inputs.models), modality_dropout, rng))
        found = at_once.again(partial(compute, ads, dropped))
        for parameter, gradient in zip(itertools.chain(*layers), found, strict=True):
            parameter.grad = gradient
        optimizer.step()
        schedule.step()
    return layers


def new_layers(sizes: list[int], n_nets: int, rng: np.random.Generator) -> "Layers":
    """He-initialised layers (He et al. 2015, eq. 10) and an output layer of zeros."""
    import torch

    layers = []
    for i, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        weight = rng.standard_normal((n_nets, n_in, n_out), dtype=np.float32)
        weight *= math.sqrt(2 / n_in) if i < len(sizes) - 2 else 0
        bias = torch.zeros(n_nets, 1, n_out)
        if i == 0:
            weight, bias = np.hstack(list(weight)), bias.flatten()
        layers.append((torch.from_numpy(weight), bias))
    return layers


def one_dropped(
    n_ads: int, n_modalities: int, share: float, rng: np.random.Generator
) -> np.ndarray:
    """Drop one modality, if there are others, for a share of ads: (n_ads, n_modalities), 0 or 1."""
    dropped = np.zeros((n_ads, n_modalities), dtype=np.float32)
    if n_modalities > 1:
        ads = np.flatnonzero(rng.random(n_ads) < share)
        dropped[ads, rng.integers(n_modalities, size=len(ads))] = 1
    return dropped


def endless(n: int, length: int, rng: np.random.Generator) -> np.ndarray:
    """Return the first `length` numbers of one random order of 0 to `n` - 1 after another."""
    orders = [rng.permutation(n) for _ in range(math.ceil(length / n))]
    return np.concatenate(orders)[:length]


def forward(
    layers: "Layers",
    n_nets: int,
    inputs: "Tensor",
    dropout: float = 0.0,
    rng: np.random.Generator | None = None,
) -> "list[Tensor]":
    """Units of every layer for some ads; dropout where there is a generator.

    Returns
    -------
    list of Tensor
        The inputs, (n_ads, width); hidden units, (n_nets, n_ads, n_out); what the networks add to
        the logits, (n_nets, n_ads, n_tags).
    """
    import torch

    (weight, bias), *others = layers
    units = [inputs, torch.addmm(bias, inputs, weight).view(len(inputs), n_nets, -1)]
    units[-1] = units[-1].transpose(0, 1).contiguous()
    for weight, bias in others:
        units[-1].relu_()
        if rng is not None and dropout > 0:
            kept = rng.random(units[-1].shape, dtype=np.float32) >= dropout
            units[-1].mul_(torch.from_numpy(kept)).div_(1 - dropout)
        units.append(torch.baddbmm(bias, units[-1], weight))
    return units


def gradients(
    layers: "Layers", units: "list[Tensor]", error: "Tensor", dropout: float
) -> "list[Tensor]":
    """Gradients of a loss by every weight and bias, layer by layer.

    Parameters
    ----------
    layers : Layers
    units : list of Tensor
        As `forward` gives them.
    error : Tensor of shape (n_nets, n_ads, n_tags)
        Gradient of the loss by the networks' output.
    dropout : float
    """
    import torch

    found: list[Tensor] = []
    for (weight, _), below in zip(layers[:0:-1], units[-2:0:-1], strict=True):
        found = [torch.bmm(below.mT, error), error.sum(dim=1, keepdim=True), *found]
        # A unit is above 0 just where it was neither dropped nor cut off.
        error = torch.bmm(error, weight.mT).mul_(below > 0).div_(1 - dropout)
    error = error.transpose(0, 1).flatten(1)
    return [units[0].T @ error, error.sum(dim=0), *found]


def corrections(layers: "Layers", n_nets: int, inputs: Inputs, ads: np.ndarray) -> "Tensor":
    """What each network adds to the linear stack's logits: (n_nets, len(ads), n_tags)."""
    import torch

    def added(some: np.ndarray) -> "Tensor":
        return forward(layers, n_nets, inputs.of_ads(some))[-1]

    return torch.cat([of_some for _, of_some in AtOnce(BLOCK).each(added, ads)], dim=1)
