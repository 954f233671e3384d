"""Texts as vectors of a pre-trained text encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from competition.errors import FeatureError, MediaError
from competition.features.base import Extracted, Extractor, Item
from competition.features.encoders import checkpoint_files, load_encoder, load_part
from competition.features.registry import extractor
from competition.features.tokens import Keep, encode, padded

Pooling = Literal["mean", "cls"]


@extractor("bert", kinds=("text",), gives="array", version=1)
class Bert(Extractor):
    """One vector per text, by any text encoder of Hugging Face's.

    Texts of like length fill one batch. The network computes in bfloat16 on processors made for
    it.

    Parameters
    ----------
    model : str
        A hub name or a local folder; "" leaves the feature out.
    pooling : {"mean", "cls"}
        What stands for a text: the mean of its tokens, special tokens included, or the first one.
    prefix : str
        Put before each text; ``"query: "`` for the E5 encoders.
    max_tokens : int
        Most tokens that are read of a text with its prefix.
    keep : {"first", "first_last"}
        Which tokens are read of a longer text: the first, or the first half of them and the last.
        The video paper, section 3.2.1, reads the first and the last 128 of what is heard.
    device : str
    batch_size : int
        Texts per pass of the network.
    """

    def __init__(
        self,
        model: str = "",
        pooling: Pooling = "mean",
        prefix: str = "",
        max_tokens: int = 256,
        keep: Keep = "first",
        device: str = "auto",
        batch_size: int = 32,
    ) -> None:
        self.model = model
        self.pooling = pooling
        self.prefix = prefix
        self.max_tokens = max_tokens
        self.keep = keep
        self.device = device
        self.batch_size = batch_size

    def lacks(self) -> str:
        """Say that no checkpoint is named, if so."""
        if self.model:
            return ""
        return "No text encoder is named: set model to a hub name or a folder with a checkpoint."

    def files(self) -> Sequence[Path]:
        """Files of a checkpoint in a local folder."""
        return checkpoint_files(self.model)

    def extract(self, items: Sequence[Item], n_workers: int = 0) -> Iterator[Extracted]:
        """Yield the vector of each text, (1, dims) float16, or its MediaError, in order."""
        if not hasattr(self, "network_"):
            self._load()
        texts = [str(item.value) for item in items]
        rows = [row for row, text in enumerate(texts) if text.strip()]
        prefixed = [self.prefix + texts[row] for row in rows]
        tokens = encode(self.tokenizer_, prefixed, self.max_tokens, self.keep)
        results: list[Extracted] = [MediaError("the text is empty") for _ in texts]
        by_length = sorted(range(len(rows)), key=lambda k: len(tokens[k]))
        for start in range(0, len(rows), self.batch_size):
            batch = by_length[start : start + self.batch_size]
            for k, vector in zip(batch, self._encoded([tokens[k] for k in batch]), strict=True):
                results[rows[k]] = (
                    vector[None, :]
                    if np.isfinite(vector).all()
                    else MediaError("the text encoder gives numbers that float16 cannot hold")
                )
        yield from results

    def extract_one(self, item: Item) -> np.ndarray:
        """Return the vector of one text, (1, dims) float16."""
        result = next(self.extract([item]))
        if isinstance(result, MediaError):
            raise result
        assert isinstance(result, np.ndarray)
        return result

    def _load(self) -> None:
        from transformers import AutoTokenizer

        for name, given, known in (
            ("pooling", self.pooling, get_args(Pooling)),
            ("keep", self.keep, get_args(Keep)),
        ):
            if given not in known:
                raise FeatureError(
                    f"bert: {name} = {given!r} is unknown. Choose one of {', '.join(known)}."
                )
        network = load_encoder(self.model, self.device, ("pooler",))
        self.tokenizer_ = load_part(AutoTokenizer.from_pretrained, self.model)
        most = min(
            getattr(network.config, "max_position_embeddings", self.tokenizer_.model_max_length),
            self.tokenizer_.model_max_length,
        ) - len(self.tokenizer_("")["input_ids"])
        if not 1 <= self.max_tokens <= most:
            raise FeatureError(
                f"bert: max_tokens = {self.max_tokens} is outside 1 to {most}, what "
                f"{self.model!r} can read."
            )
        self.network_ = network

    def _encoded(self, tokens: Sequence[Sequence[int]]) -> np.ndarray:
        """Vectors of one batch of texts, (n_texts, dims), float16."""
        import torch

        ids, mask = (part.to(self.network_.device) for part in padded(tokens, self._pad))
        with torch.inference_mode():
            hidden = self.network_(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        if self.pooling == "cls":
            return hidden[:, 0].half().cpu().numpy()
        weights = mask.unsqueeze(-1)
        return ((hidden * weights).sum(1) / weights.sum(1)).half().cpu().numpy()

    @property
    def _pad(self) -> int:
        pad = self.tokenizer_.pad_token_id
        return 0 if pad is None else pad  # masked in any case
