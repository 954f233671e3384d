"""Texts as vectors of a pre-trained text encoder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, get_args

import numpy as np

from competition.execution.memory import AtOnce
from competition.features.base import Extracted, Extractor, Item
from competition.features.encoders import checkpoint_files, unnamed
from competition.features.hidden_layers import LAST, Layers
from competition.features.registry import extractor
from competition.features.sentence_layers import sentence_files
from competition.features.text_encoders import TextEncoder, load_text_encoder
from competition.text.tokens import Keep, TokenPooling, encode, padded
from competition.utils.errors import FeatureError, MediaError
from competition.utils.parameters import Count


@extractor("bert", kinds=("text",), gives="array", version=1)
class Bert(Extractor):
    r"""One vector per text, by any text encoder of Hugging Face's.

    Where a checkpoint comes in the form of sentence-transformers, its pooling, the Dense and
    Normalize layers after it and its default prompt are those of the feature. Networks that write
    texts, such as Qwen3-Embedding, are encoders too.

    Texts of like length fill one batch. The network computes in bfloat16 on processors made for
    it.

    Parameters
    ----------
    checkpoint : str
        A hub name or a local folder; "" leaves the feature out.
    pooling : {"mean", "cls", "last"} or None
        What stands for a text: the mean of its tokens, special tokens included, the first one, or
        the last one. None takes what the checkpoint says in ``1_Pooling/config.json``; where it
        says nothing, the mean, and of a network that writes texts the last one.
    layers : tuple of int
        Layers of the network whose pooled vectors stand side by side, in this order: 1 is the
        first, -1 the last one. What is at the network's end, such as a last normalisation and the
        checkpoint's Dense and Normalize layers, is applied to the vector of the last layer alone.
    instruction : str or None
        Put before each text: ``"query: "`` for the E5 encoders, ``"Instruct: ...\nQuery:"`` for
        Qwen3-Embedding. None takes the checkpoint's default prompt, if it has one.
    max_tokens : int
        Most tokens that are read of a text with its instruction.
    keep : {"first", "first_last"}
        Which tokens are read of a longer text: the first, or the first half of them and the last.
        The video paper, section 3.2.1, reads the first and the last 128 of what is heard.
    device : str
    batch_size : int
        Texts per pass of the network on a GPU; few, so that they are of one length, and fewer where
        memory runs out. Elsewhere it is one, so that a vector depends on no other text.
    """

    shard = 256  # texts of like length are found within a shard

    libraries = ("torch", "transformers")
    neutral: ClassVar[Mapping[str, Any]] = {"layers": LAST}

    def __init__(
        self,
        checkpoint: str = "",
        pooling: TokenPooling | None = None,
        layers: Layers = LAST,
        instruction: str | None = None,
        max_tokens: Count = 256,
        keep: Keep = "first",
        device: str = "auto",
        batch_size: Count = 8,
    ) -> None:
        self.checkpoint = checkpoint
        self.pooling = pooling
        self.layers = layers
        self.instruction = instruction
        self.max_tokens = max_tokens
        self.keep = keep
        self.device = device
        self.batch_size = batch_size

    def lacks(self) -> str:
        """Say that no checkpoint is named, if so."""
        return unnamed(self.checkpoint, "text encoder")

    def files(self) -> Sequence[Path]:
        """Files of a checkpoint in a local folder."""
        return (*checkpoint_files(self.checkpoint), *sentence_files(self.checkpoint))

    def extract(self, items: Sequence[Item], n_workers: int = 0) -> Iterator[Extracted]:
        """Yield the vector of each text, (1, dims) float16, or its MediaError, in order."""
        self._check()
        layers = tuple(self.layers)
        named = (self.pooling, self.instruction, layers)
        encoder = _loaded(self.checkpoint, self.device, self.max_tokens, *named)
        texts = [str(item.value) for item in items]
        rows = [row for row, text in enumerate(texts) if text.strip()]
        whole = [encoder.instruction + texts[row] for row in rows]
        tokens = encode(encoder.tokenizer, whole, self.max_tokens, self.keep)
        results: list[Extracted] = [MediaError("the text is empty") for _ in texts]
        by_length = sorted(range(len(rows)), key=lambda k: len(tokens[k]))
        size = self.batch_size if self.on_gpu() else 1

        def encoded(batch: list[int]) -> np.ndarray:
            ids, mask = padded([tokens[k] for k in batch], encoder.padding, encoder.longest)
            return encoder.vectors(ids, mask, layers).half().cpu().numpy()

        for batch, vectors in AtOnce(size, "text").each(encoded, by_length):
            for k, vector in zip(batch, vectors, strict=True):
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

    def _check(self) -> None:
        for name, given, known in (
            ("pooling", self.pooling, (None, *get_args(TokenPooling))),
            ("keep", self.keep, get_args(Keep)),
        ):
            if given not in known:
                raise FeatureError(
                    f"bert: {name} = {given!r} is unknown. Choose one of "
                    f"{', '.join(filter(None, known))}."
                )


@lru_cache(maxsize=1)  # a process is handed ads many times, each time with another Bert
def _loaded(
    checkpoint: str,
    device: str,
    max_tokens: int,
    pooling: TokenPooling | None,
    instruction: str | None,
    layers: tuple[int, ...],
) -> TextEncoder:
    encoder = load_text_encoder(checkpoint, device, pooling=pooling, instruction=instruction)
    n_special = len(encoder.tokenizer("")["input_ids"])
    if not 1 <= max_tokens <= encoder.longest - n_special:
        raise FeatureError(
            f"bert: max_tokens = {max_tokens}, but {checkpoint!r} reads 1 to "
            f"{encoder.longest - n_special} tokens of a text."
        )
    encoder.try_out(checkpoint, max_tokens + n_special, layers)
    return encoder
