"""The training loop that the networks of level 1 share.

The number of epochs is fixed. No ad is set aside to stop early with, and the held-out fold is
never seen.

Tags are very unequal in frequency. GAP ranks the tags of all ads in one list, so that it wants
probabilities on one scale: the loss is plain cross-entropy, and imbalance is met by where training
starts, an output layer that predicts how frequent each tag is (`new_head`). On colour thumbnails of
film posters and their genres (`frames`, 10 epochs, three held-out folds, mean of two seeds) GAP is

    plain cross-entropy, starting at the priors     0.4246
    the same, starting at random                    0.4183
    focal loss, gamma 1 and 2                       0.4185, 0.4058
    positives weighed by sqrt(n- / n+), by n- / n+  0.3728, 0.2201
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from competition.execution.memory import AtOnce, pieces
from competition.utils.odds import prior_logits

Batch = tuple[Tensor, ...]

WARM_UP = 0.1  # share of the steps in which the learning rate rises
LONGEST_GRADIENT = 1.0
_SORTED_TOGETHER = 20  # batches whose ads are sorted by length together


class Encoder(Protocol):
    """Turns ads, given by their rows, into a batch of tensors, padded to the longest of them.

    Attributes
    ----------
    lengths : ndarray of int
        Of each ad.
    on_cpu : int
        Most padded length that a processor computes together in training, ads times the longest of
        them: what a network keeps for the way back grows with it, and speed does not.
    """

    lengths: np.ndarray
    on_cpu: int

    def __call__(self, rows: np.ndarray) -> Batch: ...


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a network is trained.

    Attributes
    ----------
    epochs : int
        Times that the network sees each training ad.
    batch_size : int
        Ads in a forward pass.
    learning_rate : float
        Peak of AdamW's learning rate: it rises linearly over the first tenth of the steps, then
        falls linearly to 0.
    weight_decay : float
        AdamW's decay of weight matrices; biases, gains and other vectors do not decay.
    accumulate : int
        Batches whose gradients are summed to one step.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    accumulate: int = 1


@contextmanager
def seeded(random_state: int, device: str) -> Iterator[None]:
    """Draw from a fresh random state inside; the one outside goes on as if nothing was drawn."""
    devices = [torch.cuda.current_device()] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(random_state)
        yield


def new_head(dims: int, labels: np.ndarray) -> nn.Linear:
    """Output layer that starts by predicting how frequent each tag is: weights 0, bias its logit.

    Parameters
    ----------
    dims : int
    labels : ndarray of shape (n_ads, n_tags), dtype uint8
        Of the training ads.
    """
    head = nn.Linear(dims, labels.shape[1])
    nn.init.zeros_(head.weight)
    with torch.no_grad():
        head.bias.copy_(torch.from_numpy(prior_logits(labels)))
    return head


def train(
    network: nn.Module,
    encode: Encoder,
    labels: np.ndarray,
    schedule: Schedule,
    device: str,
    rates: Sequence[tuple[nn.Module, float]] = (),
) -> None:
    """Train `network` to give the logits of `labels`; it ends on the CPU, in evaluation mode.

    Random numbers come from torch's global generator: call it inside `seeded`. On a GPU, products
    are computed in bfloat16.

    Where a batch does not fit into memory, its halves are computed one after the other, from then
    on; on a processor it is computed in parts of the length that `encode` names. The steps stay
    those of the whole batch, but for rounding and for which units are dropped.

    Parameters
    ----------
    network : Module
        Called with the tensors of a batch, it returns logits (n_ads, n_tags). Its output layer is
        called ``head``.
    encode : Encoder
    labels : ndarray of shape (n_ads, n_tags), dtype uint8
    schedule : Schedule
    device : str
    rates : sequence of (Module, float)
        Parts of the network whose learning rate has another peak than the schedule says.
    """
    targets = torch.from_numpy(labels.astype(np.float32))
    batches_per_epoch = -(-len(labels) // schedule.batch_size)
    steps = schedule.epochs * -(-batches_per_epoch // schedule.accumulate)
    network.to(device).train()
    optimizer = torch.optim.AdamW(
        _parameter_groups(network, schedule, rates), lr=schedule.learning_rate, fused=True
    )
    falling = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    at_once = AtOnce(schedule.batch_size)
    for _ in range(schedule.epochs):
        batches = length_buckets(encode.lengths, schedule.batch_size)
        for first in range(0, len(batches), schedule.accumulate):
            together = batches[first : first + schedule.accumulate]
            at_once.again(partial(_compute_gradients, network, encode, targets, together, device))
            nn.utils.clip_grad_norm_(network.parameters(), LONGEST_GRADIENT)
            optimizer.step()
            falling.step()
    network.zero_grad()
    network.to("cpu").eval()


def _compute_gradients(
    network: nn.Module,
    encode: Encoder,
    targets: Tensor,
    batches: Sequence[np.ndarray],
    device: str,
    most: int,
) -> None:
    """Leave the gradients of the mean loss of some batches, at most so many ads at a time."""
    network.zero_grad()
    n_ads = sum(len(rows) for rows in batches)
    for rows in (piece for batch in batches for piece in _parts(batch, encode, device, most)):
        batch = [tensor.to(device) for tensor in encode(rows)]
        with torch.autocast(
            device.partition(":")[0], torch.bfloat16, enabled=device.startswith("cuda")
        ):
            logits = network(*batch)
        loss = nn.functional.binary_cross_entropy_with_logits(
            logits.float(), targets[rows].to(device)
        )
        (loss * (len(rows) / n_ads)).backward()


def _parts(rows: np.ndarray, encode: Encoder, device: str, most: int) -> list[np.ndarray]:
    """Split a batch into what is computed together, at most so many ads at a time."""
    if device == "cpu":
        most = min(most, max(1, encode.on_cpu // max(1, int(encode.lengths[rows].max()))))
    return pieces(rows, most)


@torch.no_grad()
def predict(network: nn.Module, encode: Encoder, batch_size: int, device: str) -> np.ndarray:
    """Probabilities of all ads of `encode`, in their order: (n_ads, n_tags), float32.

    Computed in float32 on every device: in bfloat16 an ad's result would depend on its neighbours.
    """
    network.to(device).eval()
    order = np.argsort(encode.lengths, kind="stable")

    def probabilities(rows: np.ndarray) -> np.ndarray:
        batch = [tensor.to(device) for tensor in encode(rows)]
        return torch.sigmoid(network(*batch)).cpu().numpy()

    found = [part for _, part in AtOnce(batch_size).each(probabilities, order)]
    if device != "cpu":  # even to move nothing takes half as long as one ad
        network.to("cpu")
    return np.concatenate(found)[np.argsort(order)]


def length_buckets(lengths: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Deal all rows into batches of similar lengths, in random order.

    Shuffled rows are sorted by length some batches at a time, so that little is padding, and yet
    every epoch mixes its batches anew.

    Parameters
    ----------
    lengths : ndarray of int
    batch_size : int

    Returns
    -------
    list of ndarray of int
        Every row once; all batches are full but one.
    """
    shuffled = torch.randperm(len(lengths)).numpy()
    span = batch_size * _SORTED_TOGETHER
    batches = []
    for first in range(0, len(shuffled), span):
        rows = shuffled[first : first + span]
        rows = rows[np.argsort(lengths[rows], kind="stable")]
        batches += [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    return [batches[i] for i in torch.randperm(len(batches))]


def _rate(step: int, steps: int) -> float:
    """Learning rate of a step as a share of its peak."""
    warm_up = max(1, round(WARM_UP * steps))
    return min((step + 1) / warm_up, (steps - step) / max(1, steps - warm_up))


def _parameter_groups(
    network: nn.Module, schedule: Schedule, rates: Sequence[tuple[nn.Module, float]]
) -> list[dict[str, object]]:
    """Parameters by their learning rate, and by whether they decay: vectors do not."""
    parts = [(list(part.parameters()), rate) for part, rate in rates]
    apart = {parameter for parameters, _ in parts for parameter in parameters}
    rest = [parameter for parameter in network.parameters() if parameter not in apart]
    return [
        {"params": [p for p in parameters if (p.ndim > 1) == matrices], "lr": rate, **decay}
        for parameters, rate in [(rest, schedule.learning_rate), *parts]
        for matrices, decay in (
            (True, {"weight_decay": schedule.weight_decay}),
            (False, {"weight_decay": 0.0}),
        )
    ]
