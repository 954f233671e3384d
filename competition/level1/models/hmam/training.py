"""Training a network, and asking it. Needs torch: import it where it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

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

    Random numbers come from torch's global generator: call it inside `seeded`.

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
    for _ in range(epochs):
        for chosen in length_buckets(n_words, batch_size):
            step = rows[chosen]
            batch = _to(reader.batch(ads, step), device)
            answers, rebuilt = network(batch)
            share: Tensor | float = 0.0
            if rebuilt is not None:
                share = reconstruction_loss(rebuilt, batch.objects, batch.is_object)
            losses = [
                multilabel_loss(answer.logits, target[step].to(device))
                for answer, target in zip(answers, targets, strict=True)
            ]
            loss = multitask_loss(share, losses, weights)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        after_epoch()
        network.to(device).train()
    network.cpu().eval()


def answers(
    network: Network, reader: Reader, ads: Ads, device: str
) -> Iterator[tuple[np.ndarray, list[Answer]]]:
    """Yield rows of some ads at a time and what a network makes of each task there."""
    network.to(device).eval()
    try:
        with torch.inference_mode():
            for rows in torch.arange(len(ads.has_image)).split(_ASKED_AT_ONCE):
                batch = _to(reader.batch(ads, rows.numpy()), device)
                yield rows.numpy(), [Answer(*(x.cpu() for x in task)) for task in network(batch)[0]]
    finally:
        network.cpu()


def _to(batch: Batch, device: str) -> Batch:
    return Batch(*(part.to(device) for part in batch))
