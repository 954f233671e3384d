"""A small text network, trained from scratch on the texts of the training ads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from competition.features.text_encoders import TextEncoder
from competition.level1.components.text_encoder import TextEncoderModel
from competition.level1.registry import level1_model
from competition.text.tokens import STEP, Keep, TokenPooling
from competition.utils.errors import ModelError
from competition.utils.parameters import Count, Dropout, NotNegative, Positive, Seed

if TYPE_CHECKING:
    from optuna import Trial


@level1_model("text_net", kinds=("text",))
class TextNet(TextEncoderModel):
    """A small transformer over words and characters of the training ads, from random weights.

    It knows nothing but these ads. `bert` fine-tunes an encoder that has read more.

    Parameters
    ----------
    keep : {"first", "first_last"}
        Which tokens of a longer text are read: the first, or the first half of them and the last.
        A token is a word of `competition.text.words`, or a piece of a rare one.
    max_tokens : int
        Most tokens that are read of an ad, special ones not counted.
    pooling : {"mean", "cls"}
        What the output layer sees: the mean of the last hidden states, or the first of them.
    layers, hidden_size, heads : int
        Shape of the network.
    dropout : float
        Share of what the output layer sees that is dropped in each training step.
    epochs : int
        Times the network sees each training ad. Fixed: no ads are set aside to stop early with.
    batch_size : int
    accumulate : int
        Batches whose gradients are summed to one step.
    learning_rate : float
        Peak of AdamW's learning rate.
    weight_decay : float
    random_state : int
    n_jobs : int
        Threads on a CPU. Same seed and same threads, same bytes.
    device : str
    """

    pooling: TokenPooling

    def __init__(
        self,
        keep: Keep = "first",
        max_tokens: Count = 256,
        pooling: TokenPooling = "mean",
        layers: Count = 1,
        hidden_size: Count = 64,
        heads: Count = 2,
        dropout: Dropout = 0.1,
        epochs: Count = 6,
        batch_size: Count = 32,
        accumulate: Count = 1,
        learning_rate: Positive = 1e-2,
        weight_decay: NotNegative = 0.01,
        random_state: Seed = 0,
        n_jobs: Count = 1,
        device: str = "auto",
    ) -> None:
        self.keep = keep
        self.max_tokens = max_tokens
        self.pooling = pooling
        self.layers = layers
        self.hidden_size = hidden_size
        self.heads = heads
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.accumulate = accumulate
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.device = device

    @staticmethod
    def search_space(trial: Trial) -> dict[str, Any]:
        """What `tune` tries."""
        return {
            "epochs": trial.suggest_int("epochs", 3, 30, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 1e-3, 3e-2, log=True),
            "hidden_size": trial.suggest_categorical("hidden_size", [32, 64, 128]),
            "dropout": trial.suggest_float("dropout", 0, 0.6),
        }

    @property
    def rate(self) -> float:
        """Peak of AdamW's learning rate."""
        return self.learning_rate

    def _check(self, X: pd.DataFrame) -> None:
        super()._check(X)
        if self.hidden_size % self.heads:
            raise ModelError(
                f"hidden_size is {self.hidden_size}, no multiple of {self.heads} heads."
            )

    def _prepared(self, text: str) -> str:
        from competition.level1.networks.vocabulary import spaced

        return spaced(text)

    def _encoder(self, X: pd.DataFrame) -> TextEncoder:
        from transformers import BertConfig, BertModel

        from competition.level1.networks.vocabulary import new_tokenizer, spaced

        tokenizer = new_tokenizer(spaced(text) for name in X for text in X[name])
        config = BertConfig(
            vocab_size=len(tokenizer),
            num_hidden_layers=self.layers,
            hidden_size=self.hidden_size,
            num_attention_heads=self.heads,
            intermediate_size=4 * self.hidden_size,
            max_position_embeddings=STEP * -(-(self.max_tokens + 1 + X.shape[1]) // STEP),
            pad_token_id=tokenizer.pad_token_id,
            # Inside the network, dropout takes longer than all the rest and gains nothing.
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
        network = BertModel(config, add_pooling_layer=False)
        return TextEncoder(network, tokenizer, config.max_position_embeddings, self.pooling)
