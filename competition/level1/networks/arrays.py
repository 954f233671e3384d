"""A network over (time, dims) arrays: one branch per column, pooled over time."""

import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from competition.level1.networks.pooling import Pooling, new_pooling
from competition.level1.networks.training import Batch, new_head

# An array of more rows than this is read at this many rows, evenly spaced: at two rows a second,
# the first four minutes of a film are read whole, and no film fills the memory.
MOST_ROWS = 512


class Branch(nn.Module):
    """One column: standardised, through a layer that sees a few rows at a time, pooled over time.

    An ad without the array gets a vector that is learned, and starts as zeros.

    Parameters
    ----------
    mean, scale : ndarray of shape (dims,), dtype float32
        Of the rows of the training ads.
    hidden : int
        Units of the layer.
    rows_seen : int
        Neighbouring rows that the layer sees at a time; an odd number.
    pooling : {"mean", "attention", "nextvlad"}
    clusters : int
        Of NeXtVLAD.
    dropout : float
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        mean: np.ndarray,
        scale: np.ndarray,
        hidden: int,
        rows_seen: int,
        pooling: Pooling,
        clusters: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(mean))
        self.register_buffer("scale", torch.from_numpy(scale))
        self.layer = nn.Conv1d(len(mean), hidden, rows_seen, padding=rows_seen // 2)
        self.dropout = nn.Dropout(dropout)
        self.pooling = new_pooling(pooling, hidden, clusters)
        self.size: int = self.pooling.size
        self.missing = nn.Parameter(torch.zeros(self.size))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = (x - self.mean).div_(self.scale)  # in place: new memory costs more than the division
        if self.layer.kernel_size == (1,):
            # One row at a time is a product of matrices, four times as fast as the convolution.
            # What it makes of padding, the pooling leaves out.
            units = nn.functional.linear(x, self.layer.weight[:, :, 0], self.layer.bias)
        else:
            units = self.layer(x.mul_(mask.unsqueeze(2)).transpose(1, 2)).transpose(1, 2)
        pooled = self.pooling(self.dropout(torch.relu(units)), mask)
        return torch.where(mask.any(dim=1, keepdim=True), pooled, self.missing)


class ArrayNetwork(nn.Module):
    """Branches side by side, a hidden layer, and one logit per tag."""

    size: int  # of what `encode` returns
    n_tensors: int  # of a batch

    def __init__(
        self, branches: Sequence[Branch], hidden: int, dropout: float, labels: np.ndarray
    ) -> None:
        super().__init__()
        self.size, self.n_tensors = hidden, 2 * len(branches)
        self.branches = nn.ModuleList(branches)
        self.hidden = nn.Linear(sum(branch.size for branch in branches), hidden)
        self.dropout = nn.Dropout(dropout)
        self.head = new_head(hidden, labels)

    def encode(self, *tensors: Tensor) -> Tensor:
        """Return the units that the output layer sees."""
        pooled = [
            branch(x, mask)
            for branch, x, mask in zip(self.branches, tensors[::2], tensors[1::2], strict=True)
        ]
        return torch.relu(self.hidden(torch.cat(pooled, dim=1)))

    def forward(self, *tensors: Tensor) -> Tensor:
        return self.head(self.dropout(self.encode(*tensors)))


class Arrays:
    """Columns of arrays as padded batches: for each column, values and a mask of the real rows.

    Parameters
    ----------
    X : DataFrame of shape (n_ads, n_columns)
        Each cell an ndarray of shape (time, dims), or None.
    """

    on_cpu = sys.maxsize  # a row of an array leaves little behind

    def __init__(self, X: pd.DataFrame, dims: Sequence[int]) -> None:
        self.columns = [list(X[name]) for name in X]
        self.dims = dims
        rows = [[0 if cell is None else len(cell) for cell in column] for column in self.columns]
        self.lengths = np.minimum(rows, MOST_ROWS).sum(axis=0)

    def __call__(self, rows: np.ndarray) -> Batch:
        tensors: list[Tensor] = []
        for column, dims in zip(self.columns, self.dims, strict=True):
            cells = [None if column[row] is None else thinned(column[row]) for row in rows]
            longest = max(1, *(0 if cell is None else len(cell) for cell in cells))
            values = np.zeros((len(rows), longest, dims), dtype=np.float32)
            mask = np.zeros((len(rows), longest), dtype=bool)
            for i, cell in enumerate(cells):
                if cell is not None:
                    values[i, : len(cell)] = cell
                    mask[i, : len(cell)] = True
            tensors += [torch.from_numpy(values), torch.from_numpy(mask)]
        return tuple(tensors)


def thinned(cell: np.ndarray) -> np.ndarray:
    """Return at most `MOST_ROWS` evenly spaced rows of an array."""
    if len(cell) <= MOST_ROWS:
        return cell
    return cell[np.linspace(0, len(cell) - 1, MOST_ROWS).round().astype(np.int64)]
