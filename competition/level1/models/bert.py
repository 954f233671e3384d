"""BERT: a text encoder fine-tuned to the tags, or a small one trained from scratch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd

from competition.execution.devices import choose_device
from competition.features.encoders import checkpoint_files
from competition.features.text_encoders import TextEncoder, load_text_encoder
from competition.level1.base import Level1Model
from competition.level1.networks import TokenPooling
from competition.level1.registry import level1_model
from competition.text.tokens import STEP, Keep, encode
from competition.utils.errors import ModelError

if TYPE_CHECKING:
    from optuna import Trial
    from transformers import PreTrainedTokenizerBase

    from competition.level1.networks.texts import Tokens


@level1_model("bert", kinds=("text",))
class Bert(Level1Model):
    """A text encoder with an output layer, trained as a whole.

    `checkpoint` names a pre-trained encoder in Hugging Face's format. Without one, a small BERT of
    `layers`, `hidden_size` and `heads` is trained from scratch, over words and characters of the
    training ads.

    Several texts of an ad are read one after another, with a separator between them; each has an
    equal share of `max_tokens`. An ad without any text gets the prior of each tag.

    The loss is plain cross-entropy, and the output layer starts at the tags' priors: see
    `competition.level1.networks.training`.

    Parameters
    ----------
    checkpoint : str
        A hub name or a local folder; "" trains from scratch.
    keep : {"first", "first_last"}
        Which tokens of a longer text are read: the first, or the first half of them and the last.
        The video paper, section 3.2.1, reads the first and the last 128 words of what is heard;
        here a word is a token: a character, in a checkpoint for Chinese; a word as jieba cuts it,
        or a piece of a rare one, from scratch.
    max_tokens : int
        Most tokens that are read of an ad, special ones not counted.
    prefix : str
        Put before each text; ``"query: "`` for the E5 encoders.
    pooling : {"mean", "cls"}
        What the output layer sees: the mean of the last hidden states, or the first of them.
    layers, hidden_size, heads : int
        Shape of the network that is trained from scratch.
    dropout : float
        Share of what the output layer sees that is dropped in each training step.
    epochs : int
        Times the network sees each training ad. Fixed: no ads are set aside to stop early with.
    batch_size : int
    accumulate : int
        Batches whose gradients are summed to one step.
    learning_rate, tuning_rate : float
        Peak of AdamW's learning rate where a network is trained from scratch, and where a
        pre-trained one is fine-tuned.
    weight_decay : float
    random_state : int
    n_jobs : int
        Threads on a CPU. Same seed and same threads, same bytes.
    device : str
    """

    libraries = ("torch", "transformers")

    def __init__(
        self,
        checkpoint: str = "",
        keep: Keep = "first",
        max_tokens: int = 256,
        prefix: str = "",
        pooling: TokenPooling = "mean",
        layers: int = 1,
        hidden_size: int = 64,
        heads: int = 2,
        dropout: float = 0.1,
        epochs: int = 6,
        batch_size: int = 32,
        accumulate: int = 1,
        learning_rate: float = 1e-2,
        tuning_rate: float = 5e-5,
        weight_decay: float = 0.01,
        random_state: int = 0,
        n_jobs: int = 1,
        device: str = "auto",
    ) -> None:
        self.checkpoint = checkpoint
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
        self.tuning_rate = tuning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.device = device

    @staticmethod
    def search_space(trial: Trial) -> dict[str, Any]:
        """What `tune` tries; rates and epochs suit a network from scratch."""
        return {
            "epochs": trial.suggest_int("epochs", 3, 30, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 1e-3, 3e-2, log=True),
            "hidden_size": trial.suggest_categorical("hidden_size", [32, 64, 128]),
            "dropout": trial.suggest_float("dropout", 0, 0.6),
        }

    def files(self) -> Sequence[Path]:
        """Files of a checkpoint in a local folder: what `fit` learns depends on them."""
        return checkpoint_files(self.checkpoint)

    def _fit(self, X: pd.DataFrame, Y: np.ndarray) -> None:
        from competition.execution.devices import torch_threads
        from competition.level1.networks.texts import TextNetwork
        from competition.level1.networks.training import Schedule, seeded, train

        self._check(X)
        known = _has_text(X)
        self.has_text_ = known.any()
        if not self.has_text_:
            return
        X, Y = X[known], Y[known]
        device = choose_device(self.device)
        schedule = Schedule(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.tuning_rate if self.checkpoint else self.learning_rate,
            weight_decay=self.weight_decay,
            accumulate=self.accumulate,
        )
        with torch_threads(self.n_jobs), seeded(self.random_state, device):
            encoder = self._pretrained(X.shape[1]) if self.checkpoint else self._from_scratch(X)
            self.tokenizer_, self.longest_ = encoder.tokenizer, encoder.longest
            self.network_ = TextNetwork(encoder.network, self.pooling, self.dropout, Y)
            train(self.network_, self._tokens(X), Y, schedule, device)

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        from competition.execution.devices import torch_threads
        from competition.level1.networks.training import predict

        probabilities = np.tile(self.prior_[self.learnable_], (len(X), 1))
        known = _has_text(X)
        if self.has_text_ and known.any():
            device, tokens = choose_device(self.device), self._tokens(X[known])
            with torch_threads(self.n_jobs):
                probabilities[known] = predict(self.network_, tokens, self.batch_size, device)
        return probabilities

    def _check(self, X: pd.DataFrame) -> None:
        for name, choices in (("keep", get_args(Keep)), ("pooling", get_args(TokenPooling))):
            if getattr(self, name) not in choices:
                raise ModelError(
                    f"{name} is {getattr(self, name)!r}; choose one of {', '.join(choices)}."
                )
        for name in ("epochs", "learning_rate", "tuning_rate", "batch_size", "accumulate"):
            value = getattr(self, name)
            if not value > 0:
                raise ModelError(f"{name} is {value}; it must be more than 0.")
        if not self.checkpoint and self.hidden_size % self.heads:
            raise ModelError(
                f"hidden_size is {self.hidden_size}, no multiple of {self.heads} heads."
            )
        if self.max_tokens < X.shape[1]:
            raise ModelError(
                f"max_tokens is {self.max_tokens}, less than one for each of {X.shape[1]} texts."
            )

    def _from_scratch(self, X: pd.DataFrame) -> TextEncoder:
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
        return TextEncoder(network, tokenizer, config.max_position_embeddings)

    def _pretrained(self, n_texts: int) -> TextEncoder:
        import torch

        encoder = load_text_encoder(self.checkpoint, "cpu", torch.float32)
        encoder.network.requires_grad_(True)
        n_special = n_texts * len(encoder.tokenizer("")["input_ids"])
        n_special -= (n_texts - 1) * _begins(encoder.tokenizer)
        most = encoder.longest - n_special
        if self.max_tokens > most:
            raise ModelError(
                f"max_tokens is {self.max_tokens}, but {self.checkpoint!r} reads at most {most} of "
                f"{n_texts} texts. Set it lower."
            )
        encoder.try_out(self.checkpoint, self.max_tokens + n_special)
        return encoder

    def _tokens(self, X: pd.DataFrame) -> Tokens:
        """Token ids of all columns, one after another, each cut to its share."""
        from competition.level1.networks.texts import Tokens
        from competition.level1.networks.vocabulary import spaced

        share = self.max_tokens // X.shape[1]
        columns = []
        for name in X:
            texts = [self.prefix + text if self.checkpoint else spaced(text) for text in X[name]]
            columns.append(encode(self.tokenizer_, texts, share, self.keep))
        # The first token of a text, where it is [CLS] or the like, stands at the beginning only.
        begin = _begins(self.tokenizer_)
        sequences = [
            [*first, *(token for part in rest for token in part[begin:])]
            for first, *rest in zip(*columns, strict=True)
        ]
        return Tokens(sequences, self.tokenizer_.pad_token_id or 0, self.longest_)


def _begins(tokenizer: PreTrainedTokenizerBase) -> int:
    """Count the special tokens before a text: 1 for most encoders, 0 for T5."""
    return int(sum(tokenizer("a", return_special_tokens_mask=True)["special_tokens_mask"][:1]))


def _has_text(X: pd.DataFrame) -> np.ndarray:
    """Tell which ads have any text; (n_ads,), bool."""
    return np.array([any(text.strip() for text in row) for row in X.itertuples(index=False)])
