"""BERT: a text encoder fine-tuned to the tags, or a small one trained from scratch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from competition.devices import choose_device
from competition.errors import ModelError
from competition.features.tokens import Keep, encode
from competition.level1.base import Level1Model
from competition.level1.registry import level1_model

if TYPE_CHECKING:
    from optuna import Trial
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from competition.level1.networks.texts import TokenPooling, Tokens


@level1_model("bert", kinds=("text",))
class Bert(Level1Model):
    def __init__(
        self,
        model: str = "",
        keep: Keep = "first",
        max_tokens: int = 256,
        prefix: str = "",
        pooling: TokenPooling = "mean",
        layers: int = 1,
        hidden_size: int = 64,
        heads: int = 2,
        dropout: float = 0.1,
        epochs: int | None = None,
        batch_size: int = 32,
        accumulate: int = 1,
        learning_rate: float | None = None,
        weight_decay: float = 0.01,
        random_state: int = 0,
        n_jobs: int = 1,
        device: str = "auto",
    ) -> None:
        self.model = model
        self.keep = keep
        self.max_tokens = max_tokens
        self.prefix = prefix
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

    def _fit(self, X: pd.DataFrame, Y: np.ndarray) -> None:
        from competition.level1.networks.texts import TextNetwork
        from competition.level1.networks.training import Schedule, seeded, torch_threads, train

        device = choose_device(self.device)
        told = _has_text(X)
        self.network_ = None
        if not told.any():
            return
        X, Y = X[told], Y[told]
        with torch_threads(self.n_jobs), seeded(self.random_state, device):
            self.tokenizer_, encoder = self._checkpoint() if self.model else self._from_scratch(X)
            self.network_ = TextNetwork(encoder, self.pooling, self.dropout, Y)
            schedule = Schedule(
                epochs=self.epochs or (4 if self.model else 15),
                batch_size=self.batch_size,
                learning_rate=self.learning_rate or (5e-5 if self.model else 3e-3),
                weight_decay=self.weight_decay,
                accumulate=self.accumulate,
            )
            train(self.network_, self._tokens(X), Y, schedule, device)

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        from competition.level1.networks.training import predict, torch_threads

        probabilities = np.tile(self.prior_[self.learnable_], (len(X), 1))
        told = _has_text(X)
        if self.network_ is not None and told.any():
            with torch_threads(self.n_jobs):
                probabilities[told] = predict(
                    self.network_, self._tokens(X[told]), self.batch_size, choose_device(self.device)
                )
        return probabilities

    def _from_scratch(self, X: pd.DataFrame) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
        from transformers import BertConfig, BertModel

        from competition.level1.networks.vocabulary import character_tokenizer

        tokenizer = character_tokenizer(text for column in X for text in X[column])
        config = BertConfig(
            vocab_size=len(tokenizer),
            num_hidden_layers=self.layers,
            hidden_size=self.hidden_size,
            num_attention_heads=self.heads,
            intermediate_size=4 * self.hidden_size,
            max_position_embeddings=self.max_tokens,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            pad_token_id=tokenizer.pad_token_id,
        )
        return tokenizer, BertModel(config, add_pooling_layer=False)

    def _checkpoint(self) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
        import torch
        from transformers import AutoModel, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(self.model)
        encoder = AutoModel.from_pretrained(self.model, dtype=torch.float32)
        return tokenizer, encoder

    def _tokens(self, X: pd.DataFrame) -> Tokens:
        """Token ids of all columns, one after another, each cut to its share."""
        from competition.level1.networks.texts import Tokens

        share = self.max_tokens // X.shape[1]
        parts = [
            encode(self.tokenizer_, [self.prefix + text for text in X[column]], share, self.keep)
            for column in X
        ]
        first, others = parts[0], parts[1:]
        sequences = [
            sum((list(part[1:]) for part in rest), start=list(ids))
            for ids, *rest in zip(first, *others, strict=True)
        ]
        return Tokens(sequences, self.tokenizer_.pad_token_id)


def _has_text(X: pd.DataFrame) -> np.ndarray:
    """Tell which ads have any text; (n_ads,), bool."""
    told = np.zeros(len(X), dtype=bool)
    for name in X:
        told |= np.array([bool(text.strip()) for text in X[name]], dtype=bool)
    return told
