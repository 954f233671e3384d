"""Pooling of (time, dims) arrays into one vector; rows that are padding count for nothing.

Each module takes ``x`` of shape (n_ads, time, dims) and ``mask`` of shape (n_ads, time), True where
a row is real, and returns (n_ads, ``size``). An ad without a single real row gets zeros.
"""

import torch
from torch import Tensor, nn

from competition.level1.networks import Pooling


class MeanPooling(nn.Module):
    """The mean of the rows."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.size = dims

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        real = mask.unsqueeze(2).to(x.dtype)
        return (x * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)


class AttentionPooling(nn.Module):
    """A weighted mean of the rows: ``softmax_t(w' tanh(V x_t + b))`` weighs row t.

    References
    ----------
    Ilse, Tomczak, Welling: Attention-based deep multiple instance learning, ICML 2018, eq. 7, 8.
    """

    def __init__(self, dims: int, hidden: int) -> None:
        super().__init__()
        self.size = dims
        self.hidden = nn.Linear(dims, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)
        nn.init.zeros_(self.score.weight)  # training starts from the mean of the rows

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        scores = self.score(torch.tanh(self.hidden(x))).squeeze(2)
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        weights = torch.softmax(scores, dim=1) * mask
        return torch.einsum("bt,btd->bd", weights, x)


class NeXtVLAD(nn.Module):
    """Residuals to learned cluster centres, summed over rows and groups of dimensions.

    Rows are expanded to ``expansion * dims`` dimensions, which are split into groups. A row is
    assigned to cluster k in group g by ``sigmoid_g * softmax_k`` of two linear functions of it;
    with this weight its group's part minus the centre c_k is added up (Lin et al. 2018, section
    3.2). Each cluster's sum is scaled to root mean square 1: to length 1, as in the paper, and by
    a constant that takes the place of the batch normalisation which follows there.

    References
    ----------
    Lin, Xiao, Fan: NeXtVLAD, an efficient neural network to aggregate frame-level features for
    large-scale video classification, ECCV workshops 2018.
    """

    def __init__(self, dims: int, clusters: int, groups: int, expansion: int = 2) -> None:
        super().__init__()
        if expansion * dims % groups:
            raise ValueError(f"{expansion * dims} dimensions cannot be split into {groups} groups")
        self.clusters, self.groups = clusters, groups
        self.group_dims = expansion * dims // groups
        self.size = clusters * self.group_dims
        self.expand = nn.Linear(dims, expansion * dims)
        self.group_attention = nn.Linear(expansion * dims, groups)
        self.assignment = nn.Linear(expansion * dims, groups * clusters)
        self.centres = nn.Parameter(torch.randn(clusters, self.group_dims) / self.group_dims**0.5)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        expanded = self.expand(x)
        parts = expanded.unflatten(2, (self.groups, self.group_dims))
        attention = torch.sigmoid(self.group_attention(expanded)) * mask.unsqueeze(2)
        assignment = self.assignment(expanded).unflatten(2, (self.groups, self.clusters))
        weights = torch.softmax(assignment, dim=3) * attention.unsqueeze(3)
        residuals = torch.einsum("btgk,btgd->bkd", weights, parts)
        residuals = residuals - weights.sum(dim=(1, 2)).unsqueeze(2) * self.centres
        return nn.functional.normalize(residuals, dim=2).flatten(1) * self.group_dims**0.5


def new_pooling(
    name: Pooling, dims: int, clusters: int
) -> MeanPooling | AttentionPooling | NeXtVLAD:
    if name == "mean":
        return MeanPooling(dims)
    if name == "attention":
        return AttentionPooling(dims, dims)
    return NeXtVLAD(dims, clusters, groups=8)
