"""Training a network, and asking it. Needs torch: import it where it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from competition.execution.memory import AtOnce, pieces
from competition.level1.models.hmam.inputs import Ads, Batch, Reader
from competition.level1.models.hmam.loss import multilabel_loss, multitask_loss, reconstruction_loss
from competition.level1.models.hmam.network import Answer, Network
from competition.level1.networks.training import length_buckets

_ASKED_AT_ONCE = 256


def train(
    network: Network,
    reader: Reader,
    ads: Ads,
    labels: Sequence[np.ndarray],
    weights: Sequence[float],
    rows: np.ndarray,
    device: str,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
    drop_every: int,
    after_epoch: Callable[[], None],
) -> None:
    """Train for a fixed number of epochs by Adamax, its learning rate times 0.1 every few.

    Random numbers come from torch's global generator: call it inside `seeded`. Where a batch does
    not fit into memory its halves are computed one after the other, to the same step.

    Parameters
    ----------
    network : Network
    reader : Reader
    ads : Ads
    labels : sequence of ndarray of shape (n_ads, n_tags), dtype uint8
        One per task.
    weights : sequence of float
        Weight of each task's loss (equation 18).
    rows : ndarray of int
        The ads to learn from.
    device : str
    epochs, batch_size, learning_rate, weight_decay, drop_every
        As of `Hmam`.
    after_epoch : callable
        Called after every epoch; it may predict with the network.
    """
    targets = [torch.from_numpy(task.astype(np.float32)) for task in labels]
    network.to(device).train()
    learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adamax(
        learned, lr=learning_rate, betas=(0.9, 0.999), weight_decay=weight_decay, foreach=True
    )
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, drop_every, gamma=0.1)
    n_words = np.array([len(ads.words[row]) for row in rows])

    def compute_gradients(step: np.ndarray, most: int) -> None:
        optimizer.zero_grad()
        for some in pieces(step, most):
            batch = _to(reader.batch(ads, some), device)
            answers, rebuilt = network(batch)
            share: Tensor | float = 0.0
            if rebuilt is not None:  # a mean over ads, where the other losses are sums
                share = reconstruction_loss(rebuilt, batch.objects, batch.is_object)
                share = share * (len(some) / len(step))
            losses = [
                multilabel_loss(answer.logits, target[some].to(device))
                for answer, target in zip(answers, targets, strict=True)
            ]
            multitask_loss(share, losses, weights).backward()

    at_once = AtOnce(batch_size)
    for _ in range(epochs):
        for chosen in length_buckets(n_words, batch_size):
            at_once.again(partial(compute_gradients, rows[chosen]))
            optimizer.step()
        schedule.step()
        after_epoch()
        network.to(device).train()
    network.cpu().eval()


def answers(
    network: Network, reader: Reader, ads: Ads, device: str
) -> Iterator[tuple[np.ndarray, list[Answer]]]:
    """Yield rows of some ads at a time and what a network makes of each task there."""

    def answered(rows: np.ndarray) -> list[Answer]:
        found = network(_to(reader.batch(ads, rows), device))[0]
        return [Answer(*(x.cpu() for x in task)) for task in found]

    network.to(device).eval()
    try:
        with torch.inference_mode():
            yield from AtOnce(_ASKED_AT_ONCE).each(answered, np.arange(len(ads.has_image)))
    finally:
        network.cpu()


def _to(batch: Batch, device: str) -> Batch:
    return Batch(*(part.to(device) for part in batch))
