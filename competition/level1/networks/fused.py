"""One network over several encoders, which fuses what they return: Table 4 of the video paper."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from competition.level1.networks import Fusing
from competition.level1.networks.arrays import ArrayNetwork
from competition.level1.networks.texts import TextNetwork
from competition.level1.networks.training import Batch, Encoder, new_head


class FusedNetwork(nn.Module):
    """Encoders of one modality each, fused, a dense layer, and one logit per tag.

    Each encoding passes a dense layer of its own, all of one width; these are put side by side
    ("concat"), added ("sum"), taken unit by unit at their largest ("max"), or averaged with weights
    of additive attention without a query (Bahdanau et al. 2015, eq. 6; "attention"). A modality
    that an ad lacks adds nothing.

    Parameters
    ----------
    branches : sequence of ArrayNetwork or TextNetwork
        Their own output layers are dropped.
    how : {"concat", "sum", "max", "attention"}
    width : int
    dropout : float
    labels : ndarray of shape (n_ads, n_tags), dtype uint8
        Of the training ads: the output layer starts at the tags' priors.
    """

    def __init__(
        self,
        branches: Sequence[ArrayNetwork | TextNetwork],
        how: Fusing,
        width: int,
        dropout: float,
        labels: np.ndarray,
    ) -> None:
        super().__init__()
        self.how = how
        self.branches = nn.ModuleList(branches)
        for branch in branches:
            del branch.head
        self.n_tensors = [branch.n_tensors for branch in branches]
        self.project = nn.ModuleList(nn.Linear(branch.size, width) for branch in branches)
        if how == "attention":
            self.attention, self.score = nn.Linear(width, width), nn.Linear(width, 1, bias=False)
            nn.init.zeros_(self.score.weight)  # training starts from the mean
        self.hidden = nn.Linear(width * (len(branches) if how == "concat" else 1), width)
        self.dropout = nn.Dropout(dropout)
        self.head = new_head(width, labels)

    def forward(self, there: Tensor, *tensors: Tensor) -> Tensor:
        encoded, start = [], 0
        for branch, project, n in zip(self.branches, self.project, self.n_tensors, strict=True):
            encode: Any = branch.encode
            encoded.append(torch.relu(project(encode(*tensors[start : start + n]))))
            start += n
        # (n_ads, n_modalities, width), never negative: 0 is neutral for the maximum too.
        units = self.dropout(torch.stack(encoded, dim=1)) * there[:, :, None]
        return self.head(self.dropout(torch.relu(self.hidden(self._fused(units, there)))))

    def _fused(self, units: Tensor, there: Tensor) -> Tensor:
        if self.how == "concat":
            return units.flatten(1)
        if self.how == "sum":
            return units.sum(dim=1)
        if self.how == "max":
            return units.amax(dim=1)
        scores = self.score(torch.tanh(self.attention(units)))[:, :, 0]
        scores = scores.masked_fill(there == 0, torch.finfo(scores.dtype).min)
        return (torch.softmax(scores, dim=1)[:, :, None] * units).sum(dim=1)


class Together:
    """Batches of all branches side by side, after which branches an ad has.

    Parameters
    ----------
    encoders : sequence of Encoder
    there : ndarray of shape (n_ads, n_branches), dtype bool
    """

    def __init__(self, encoders: Sequence[Encoder], there: np.ndarray) -> None:
        self.encoders = encoders
        self.there = torch.from_numpy(there.astype(np.float32))
        self.lengths = np.sum([encoder.lengths for encoder in encoders], axis=0)
        self.on_cpu = min(encoder.on_cpu for encoder in encoders)

    def __call__(self, rows: np.ndarray) -> Batch:
        tensors = [tensor for encoder in self.encoders for tensor in encoder(rows)]
        return (self.there[torch.from_numpy(rows)], *tensors)
