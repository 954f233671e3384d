"""Text encoders with an output layer, trained as a whole: what `bert` and `text_net` share."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd

from competition.level1.components.encoder_model import EncoderModel
from competition.text.tokens import Keep, TokenPooling, encode
from competition.utils.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from competition.features.text_encoders import TextEncoder
    from competition.level1.networks.texts import TextNetwork, Tokens


class TextEncoderModel(EncoderModel):
    """A text encoder with an output layer.

    Several texts of an ad are read one after another, with a separator between them; each has an
    equal share of `max_tokens`. An ad without any text gets the prior of each tag.

    The loss is plain cross-entropy, and the output layer starts at the tags' priors: see
    `competition.level1.networks.training`.

    A subclass writes a constructor, which stores these parameters and its own, `rate`, `_encoder`
    and `_prepared`.

    Parameters
    ----------
    keep : {"first", "first_last"}
    max_tokens : int
    pooling : {"mean", "cls", "last"} or None
    dropout : float
    epochs, batch_size, accumulate : int
    weight_decay : float
    random_state, n_jobs : int
    device : str
    """

    libraries = ("torch", "transformers")
    poolings: tuple[TokenPooling | None, ...] = get_args(TokenPooling)

    keep: Keep
    max_tokens: int
    pooling: TokenPooling | None
    dropout: float
    epochs: int
    batch_size: int
    accumulate: int
    weight_decay: float
    random_state: int
    n_jobs: int
    device: str

    @abstractmethod
    def _encoder(self, X: pd.DataFrame) -> TextEncoder:
        """Tokenizer and network to start from, given the training texts."""

    @abstractmethod
    def _prepared(self, text: str) -> str:
        """Return a text as the tokenizer takes it."""

    def prepare(self, X: pd.DataFrame) -> None:
        """Check the parameters."""
        self._check(X)

    def present(self, X: pd.DataFrame) -> np.ndarray:
        """Tell which ads have any text."""
        return np.array([any(text.strip() for text in row) for row in X.itertuples(index=False)])

    def new_network(self, X: pd.DataFrame, Y: np.ndarray) -> TextNetwork:
        """Make the encoder, and an untrained output layer."""
        from competition.level1.networks.texts import TextNetwork

        encoder = self._encoder(X)
        self.tokenizer_, self.longest_ = encoder.tokenizer, encoder.longest
        self.instruction_ = encoder.instruction
        return TextNetwork(encoder.network, encoder.pooling, self.dropout, Y)

    def _check(self, X: pd.DataFrame) -> None:
        for name, choices in (("keep", get_args(Keep)), ("pooling", self.poolings)):
            if getattr(self, name) not in choices:
                raise ModelError(
                    f"{name} is {getattr(self, name)!r}; choose one of "
                    f"{', '.join(filter(None, choices))}."
                )
        for name in ("epochs", "batch_size", "accumulate"):
            value = getattr(self, name)
            if not value > 0:
                raise ModelError(f"{name} is {value}; it must be more than 0.")
        if not self.rate > 0:
            raise ModelError(f"The learning rate is {self.rate}; it must be more than 0.")
        if self.max_tokens < X.shape[1]:
            raise ModelError(
                f"max_tokens is {self.max_tokens}, less than one for each of {X.shape[1]} texts."
            )

    def batches(self, X: pd.DataFrame) -> Tokens:
        """Token ids of all columns, one after another, each cut to its share."""
        from competition.level1.networks.texts import Tokens

        share = self.max_tokens // X.shape[1]
        columns = []
        for name in X:
            texts = [self._prepared(text) for text in X[name]]
            columns.append(encode(self.tokenizer_, texts, share, self.keep))
        # The first token of a text, where it is [CLS] or the like, stands at the beginning only.
        begin = begins(self.tokenizer_)
        sequences = [
            [*first, *(token for part in rest for token in part[begin:])]
            for first, *rest in zip(*columns, strict=True)
        ]
        return Tokens(sequences, self.tokenizer_.pad_token_id or 0, self.longest_)


def begins(tokenizer: PreTrainedTokenizerBase) -> int:
    """Count the special tokens before a text: 1 for most encoders, 0 for T5."""
    return int(sum(tokenizer("a", return_special_tokens_mask=True)["special_tokens_mask"][:1]))
