"""BERT: a pre-trained text encoder fine-tuned to the tags."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pandas as pd

from competition.features.encoders import checkpoint_files
from competition.features.sentence_layers import sentence_files
from competition.features.text_encoders import TextEncoder, load_text_encoder
from competition.level1.components.text_encoder import TextEncoderModel, begins
from competition.level1.registry import level1_model
from competition.text.tokens import Keep, TokenPooling
from competition.utils.errors import ModelError
from competition.utils.parameters import Count, Dropout, NotNegative, Positive, Seed

if TYPE_CHECKING:
    from optuna import Trial


@level1_model("bert", kinds=("text",))
class Bert(TextEncoderModel):
    """A text encoder with an output layer, trained as a whole.

    `checkpoint` names a pre-trained encoder in Hugging Face's format; there is no default. Where
    none is to be had, `text_net` learns from the training ads alone.

    Several texts of an ad are read one after another, with a separator between them; each has an
    equal share of `max_tokens`. An ad without any text gets the prior of each tag.

    The loss is plain cross-entropy, and the output layer starts at the tags' priors: see
    `competition.level1.networks.training`.

    Parameters
    ----------
    checkpoint : str
        A hub name or a local folder.
    keep : {"first", "first_last"}
        Which tokens of a longer text are read: the first, or the first half of them and the last.
        The video paper, section 3.2.1, reads the first and the last 128 words of what is heard;
        here a word is a token: a character, in a checkpoint for Chinese.
    max_tokens : int
        Most tokens that are read of an ad, special ones not counted.
    instruction : str or None
        Put before each text; ``"query: "`` for the E5 encoders. None takes the checkpoint's default
        prompt, if it has one.
    pooling : {"mean", "cls", "last"} or None
        What the output layer sees: the mean of the last hidden states, the first or the last of
        them. None takes what the checkpoint says in ``1_Pooling/config.json``; where it says
        nothing, the mean, and of a network that writes texts the last. Layers that follow the
        pooling in a checkpoint are left out: the output layer takes their place.
    dropout : float
        Share of what the output layer sees that is dropped in each training step.
    epochs : int
        Times the network sees each training ad. Fixed: no ads are set aside to stop early with.
    batch_size : int
    accumulate : int
        Batches whose gradients are summed to one step.
    tuning_rate : float
        Peak of AdamW's learning rate.
    weight_decay : float
    random_state : int
    n_jobs : int
        Threads on a CPU. Same seed and same threads, same bytes.
    device : str
    """

    poolings = (None, *get_args(TokenPooling))

    def __init__(
        self,
        checkpoint: str,
        keep: Keep = "first",
        max_tokens: Count = 256,
        instruction: str | None = None,
        pooling: TokenPooling | None = None,
        dropout: Dropout = 0.1,
        epochs: Count = 6,
        batch_size: Count = 32,
        accumulate: Count = 1,
        tuning_rate: Positive = 5e-5,
        weight_decay: NotNegative = 0.01,
        random_state: Seed = 0,
        n_jobs: Count = 1,
        device: str = "auto",
    ) -> None:
        self.checkpoint = checkpoint
        self.keep = keep
        self.max_tokens = max_tokens
        self.instruction = instruction
        self.pooling = pooling
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.accumulate = accumulate
        self.tuning_rate = tuning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.device = device

    @staticmethod
    def search_space(trial: Trial) -> dict[str, Any]:
        """What `tune` tries."""
        return {
            "epochs": trial.suggest_int("epochs", 1, 12, log=True),
            "tuning_rate": trial.suggest_float("tuning_rate", 5e-6, 2e-4, log=True),
            "dropout": trial.suggest_float("dropout", 0, 0.6),
        }

    def files(self) -> Sequence[Path]:
        """Files of a checkpoint in a local folder: what `fit` learns depends on them."""
        return (*checkpoint_files(self.checkpoint), *sentence_files(self.checkpoint))

    @property
    def rate(self) -> float:
        """Peak of AdamW's learning rate."""
        return self.tuning_rate

    def _prepared(self, text: str) -> str:
        return self.instruction_ + text

    def _encoder(self, X: pd.DataFrame) -> TextEncoder:
        return self._pretrained(X.shape[1])

    def _pretrained(self, n_texts: int) -> TextEncoder:
        import torch

        encoder = load_text_encoder(
            self.checkpoint,
            "cpu",
            torch.float32,
            pooling=self.pooling,
            instruction=self.instruction,
        )
        encoder.network.requires_grad_(True)
        n_special = n_texts * len(encoder.tokenizer("")["input_ids"])
        n_special -= (n_texts - 1) * begins(encoder.tokenizer)
        most = encoder.longest - n_special
        if self.max_tokens > most:
            raise ModelError(
                f"max_tokens is {self.max_tokens}, but of an ad with {n_texts} text"
                f"{'' if n_texts == 1 else 's'} {self.checkpoint!r} reads at most {most} tokens, "
                "special ones not counted. Set it lower."
            )
        encoder.try_out(self.checkpoint, self.max_tokens + n_special)
        return encoder
