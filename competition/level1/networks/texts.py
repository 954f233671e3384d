"""A text encoder with an output layer, and its batches of tokens."""

import numpy as np
from torch import Tensor, nn
from transformers import PreTrainedModel

from competition.level1.networks.training import Batch, new_head
from competition.text.tokens import TokenPooling, padded, pooled

# Tokens that a processor computes together in training. With 256 of each text, BERT-base takes 3.0
# GiB with 1,024, 4.7 with 2,048 and 11.8 with 8,192; its steps take 0.67, 0.79 and 1 times as long.
TOKENS_ON_CPU = 1024


class TextNetwork(nn.Module):
    """Encoder, pooling over its last hidden states, dropout, and one logit per tag."""

    size: int  # of what `encode` returns
    n_tensors = 2  # of a batch

    def __init__(
        self, encoder: PreTrainedModel, pooling: TokenPooling, dropout: float, labels: np.ndarray
    ) -> None:
        super().__init__()
        self.size = dims = encoder.config.hidden_size
        self.encoder = encoder
        self.pooling: TokenPooling = pooling
        self.dropout = nn.Dropout(dropout)
        self.head = new_head(dims, labels)

    def encode(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return what the output layer sees."""
        hidden = self.encoder(input_ids=tokens, attention_mask=mask).last_hidden_state
        return pooled(hidden, mask, self.pooling)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return self.head(self.dropout(self.encode(tokens, mask)))


class Tokens:
    """Texts as padded batches of token ids.

    Parameters
    ----------
    sequences : list of list of int
    padding : int
        Id of the padding token.
    most : int
        Longest sequence that the network reads.
    """

    on_cpu = TOKENS_ON_CPU

    def __init__(self, sequences: list[list[int]], padding: int, most: int) -> None:
        self.sequences = sequences
        self.padding = padding
        self.most = most
        self.lengths = np.array([len(sequence) for sequence in sequences])

    def __call__(self, rows: np.ndarray) -> Batch:
        return padded([self.sequences[row] for row in rows], self.padding, self.most)
