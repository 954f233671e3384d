"""What training minimises (equations 6, 17 and 18). Needs torch: import it where it is used."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional


def reconstruction_loss(rebuilt: Tensor, objects: Tensor, is_object: Tensor) -> Tensor:
    """L_share = 1/n sum_i 1/L_i sum_j |rebuilt_ij - x_ij|^2 (equation 6).

    Ads have different numbers of objects L_i; one without any adds nothing.

    Parameters
    ----------
    rebuilt, objects : Tensor of shape (n, L, dims)
    is_object : Tensor of shape (n, L), bool
        Which of them are no padding.
    """
    squares = ((rebuilt - objects) ** 2).sum(dim=2) * is_object
    return (squares.sum(dim=1) / is_object.sum(dim=1).clamp(min=1)).mean()


def multilabel_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """L_ml = -sum_i sum_j y_ij log p_ij + (1 - y_ij) log(1 - p_ij) (equation 17).

    A sum over the batch's ads and over tags, not a mean; p is the sigmoid of `logits`.

    Parameters
    ----------
    logits, labels : Tensor of shape (n, n_tags)
    """
    return functional.binary_cross_entropy_with_logits(logits, labels, reduction="sum")


def multitask_loss(
    share: Tensor | float, tasks: Sequence[Tensor], weights: Sequence[float]
) -> Tensor:
    """L = L_share + alpha L_topic + beta L_sentiment (equation 18), for any number of tasks."""
    weighted = [weight * loss for weight, loss in zip(weights, tasks, strict=True)]
    return sum(weighted[1:], weighted[0]) + share
