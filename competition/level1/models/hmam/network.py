"""The network, equation by equation (Look, Read and Feel, 2020).

Shapes: n ads, L objects and M words of the ad that has most of them, D dims of a representation.
Import this module where it is used: it needs torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from competition.level1.models.hmam.inputs import Batch, Sizes


class ImageMLP(nn.Module):
    """Representation of the whole image (equation 2; equation 1 is the frozen encoder)."""

    def __init__(self, size: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(size, dim), nn.ReLU(), nn.Dropout(dropout), nn.Linear(dim, dim), nn.ReLU()
        )

    def forward(self, image: Tensor) -> Tensor:
        """z^V = MLP(x^V): (n, size) to (n, D), two layers."""
        return self.layers(image)


class ObjectAutoencoder(nn.Module):
    """Representation of objects from which they can be rebuilt (equations 4 and 5)."""

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(size, dim), nn.ReLU())
        self.decoder = nn.Linear(dim, size)

    def forward(self, objects: Tensor) -> tuple[Tensor, Tensor]:
        """z^O = encoder(x^O) and decoder(z^O): (n, L, size) to (n, L, D) and (n, L, size)."""
        latent = self.encoder(objects)
        return latent, self.decoder(latent)


class WordLSTM(nn.Module):
    """Representation of words in their order (equation 9): one layer, D/2 units each way."""

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.lstm = nn.LSTM(size, dim // 2, batch_first=True, bidirectional=True)

    def forward(self, words: Tensor, is_word: Tensor) -> Tensor:
        """z^W = BLSTM(x^W): (n, M, size) to (n, M, D), zeros after an ad's last word."""
        length = is_word.sum(dim=1)
        known = length > 0
        states = words.new_zeros(*words.shape[:2], self.dim)
        if known.any():
            packed = pack_padded_sequence(
                words[known], length[known].cpu(), batch_first=True, enforce_sorted=False
            )
            states[known] = pad_packed_sequence(
                self.lstm(packed)[0], batch_first=True, total_length=words.shape[1]
            )[0]
        return states


class IntraAttention(nn.Module):
    """A modality's vectors weighed by a kernel q, learned for each task (equations 10 to 12).

    The kernel starts at 0, which makes the plain mean; where it is not `learned`, it stays there.
    """

    def __init__(self, dim: int, learned: bool) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.zeros(dim), requires_grad=learned)

    def forward(self, vectors: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """Weigh any number of vectors of an ad, none included.

        p_j = q . z_j (10); a_j = exp(p_j) / sum_k exp(p_k) (11); m = sum_j a_j z_j (12).

        Parameters
        ----------
        vectors : Tensor of shape (n, N, D)
        there : Tensor of shape (n, N), bool
            Which of them are no padding.

        Returns
        -------
        m : Tensor of shape (n, D)
            Zeros for an ad that has no vector.
        a : Tensor of shape (n, N)
            Zero where there is none.
        """
        p = vectors @ self.kernel
        # The lowest number, not -inf: an ad without any vector would become NaN.
        a = torch.softmax(p.masked_fill(~there, torch.finfo(p.dtype).min), dim=1) * there
        return (a[:, None] @ vectors)[:, 0], a


class InterAttention(nn.Module):
    """Three free scores, for image, objects and words, and no softmax (equation 13).

    They start at 1; where they are not `learned`, the modalities are just put side by side.
    """

    def __init__(self, learned: bool) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.ones(3), requires_grad=learned)

    def forward(self, image: Tensor, objects: Tensor, words: Tensor) -> Tensor:
        """Join [a_1 z^V, a_2 m^O, a_3 m^W], side by side, to r."""
        modalities = (image, objects, words)
        return torch.cat([a * m for a, m in zip(self.scores, modalities, strict=True)], dim=1)


class Head(nn.Module):
    """Tags of one task from its representation (equations 14 and 15)."""

    def __init__(self, size: int, hidden: int, prior_logits: Tensor, dropout: float) -> None:
        super().__init__()
        self.reduce = nn.Sequential(nn.Linear(size, hidden), nn.ReLU())
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, len(prior_logits))
        with torch.no_grad():
            self.output.bias.copy_(prior_logits)  # the prior's log odds, not to be learned first

    def forward(self, representation: Tensor) -> Tensor:
        """r0 = relu(W r + c) (14); y' = w r0 + b (15), whose sigmoid is the probability (16)."""
        return self.output(self.dropout(self.reduce(representation)))


class Answer(NamedTuple):
    """What the network makes of a task."""

    logits: Tensor  # (n, n_tags)
    objects: Tensor  # attention, (n, L)
    words: Tensor  # attention, (n, M)
    modalities: Tensor  # scores, (3,)


class Task(nn.Module):
    """What a task has for itself: two levels of attention and a head."""

    def __init__(
        self, sizes: Sizes, hidden: int, prior_logits: Tensor, dropout: float, attention: bool
    ) -> None:
        super().__init__()
        self.objects = IntraAttention(sizes.objects, attention)
        self.words = IntraAttention(sizes.words, attention)
        self.modalities = InterAttention(attention)
        self.head = Head(sum(sizes), hidden, prior_logits, dropout)

    def forward(
        self, image: Tensor, objects: Tensor, is_object: Tensor, words: Tensor, is_word: Tensor
    ) -> Answer:
        """Answer from the representations (n, D), (n, L, D) and (n, M, D) of the three."""
        m_objects, a_objects = self.objects(objects, is_object)
        m_words, a_words = self.words(words, is_word)
        logits = self.head(self.modalities(image, m_objects, m_words))
        return Answer(logits, a_objects, a_words, self.modalities.scores)


class Network(nn.Module):
    """A bottom that all tasks share, and attention and head of each.

    A modality that no training ad has takes no part: its representation has no dims.

    Parameters
    ----------
    sizes : Sizes
        Dims of the inputs.
    prior_logits : sequence of Tensor of shape (n_tags,)
        One per task: the log odds of its tags in training.
    dim : int
        Dims of a representation; even.
    hidden : int
        Width of a head's hidden layer.
    dropout : float
        Share of units dropped between layers.
    autoencoder : bool
        Without it objects are represented by their features as they are.
    attention : bool
        Without it objects and words are averaged and modalities put side by side.
    """

    def __init__(
        self,
        sizes: Sizes,
        prior_logits: Sequence[Tensor],
        dim: int,
        hidden: int,
        dropout: float,
        autoencoder: bool,
        attention: bool,
    ) -> None:
        super().__init__()
        self.image = ImageMLP(sizes.image, dim, dropout) if sizes.image else None
        coded = autoencoder and sizes.objects > 0
        self.objects = ObjectAutoencoder(sizes.objects, dim) if coded else None
        self.words = WordLSTM(sizes.words, dim) if sizes.words else None
        shared = Sizes(
            image=dim if sizes.image else 0,
            objects=dim if coded else sizes.objects,
            words=dim if sizes.words else 0,
        )
        self.dropout = nn.Dropout(dropout)
        self.tasks = nn.ModuleList(
            Task(shared, hidden, logits, dropout, attention) for logits in prior_logits
        )

    def forward(self, batch: Batch) -> tuple[list[Answer], Tensor | None]:
        """Answer each task; while training also the rebuilt objects, (n, L, size), if any."""
        image, objects, words, rebuilt = batch.image, batch.objects, batch.words, None
        if self.image is not None:
            image = self.image(image) * batch.has_image[:, None]
        if self.objects is not None and self.training:
            objects, rebuilt = self.objects(objects)
        elif self.objects is not None:
            objects = self.objects.encoder(objects)  # only the loss of training asks for the rest
        if self.words is not None:
            words = self.words(words, batch.is_word)
        image, objects, words = (self.dropout(z) for z in (image, objects, words))
        answers = [
            task(image, objects, batch.is_object, words, batch.is_word) for task in self.tasks
        ]
        return answers, rebuilt
