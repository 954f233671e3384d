"""A pre-trained image encoder that is trained further, together with what stands on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from competition.features.encoders import load_pretrained
from competition.utils.errors import MediaError, ModelError

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


class Pictures:
    """Reads images as the processor of a checkpoint wants them.

    Parameters
    ----------
    checkpoint : str
    """

    def __init__(self, checkpoint: str) -> None:
        from transformers import AutoImageProcessor

        self._processor = load_pretrained(
            AutoImageProcessor.from_pretrained, checkpoint, backend="pil"
        )

    def read(self, files: Sequence[str | None]) -> tuple[Any, list[int]]:
        """Pixels of the images that can be read, and their places among `files`."""
        from competition.media.images import read_image

        images, read = [], []
        for place, file in enumerate(files):
            if file is None:
                continue
            try:
                images.append(read_image(Path(file)))
            except MediaError:
                continue
            read.append(place)
        if not images:
            return None, []
        return self._processor(images=images, return_tensors="pt")["pixel_values"], read

    def batches(
        self, files: Sequence[str | None], size: int
    ) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Yield places among `files` and the pixels there, for the images that can be read."""
        for start in range(0, len(files), size):
            pixels, read = self.read(files[start : start + size])
            if pixels is not None:
                yield start + np.asarray(read), pixels


def image_files(X: pd.DataFrame, model: str) -> list[str | None]:
    """Return the image of each ad, None where missing.

    Raises
    ------
    ModelError
        If the ads have several columns.
    """
    if X.shape[1] != 1:
        raise ModelError(
            f"{model} reads one image of an ad, got the inputs {', '.join(X.columns)}. "
            "Name one of them in its inputs."
        )
    return [cell if isinstance(cell, str) else None for cell in X.iloc[:, 0]]


def load_trained_encoder(checkpoint: str) -> Module:
    """Load the network of a vision checkpoint, in float32 and ready to be trained."""
    import torch
    from transformers import AutoModel

    network = load_pretrained(
        AutoModel.from_pretrained, checkpoint, dtype=torch.float32, weights_only=True
    )
    # Of an encoder of pictures and texts, that of pictures.
    return getattr(network, "vision_model", network)


def pooled(network: Module, pixels: Tensor, pooling: Literal["mean", "max"]) -> Tensor:
    """Mean or maximum over the places of the last feature map (or over tokens): (n, dims)."""
    hidden = network(pixel_values=pixels).last_hidden_state
    places = hidden.flatten(2) if hidden.ndim == 4 else hidden.transpose(1, 2)
    return places.amax(dim=2) if pooling == "max" else places.mean(dim=2)
