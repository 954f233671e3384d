"""A pre-trained image encoder that is trained further, together with what stands on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from competition.features.image_processors import load_image_processor, refuse_patches
from competition.features.vision_encoders import load_vision_network
from competition.level1.components.pooled_arrays import PooledArrays
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
        self.processor = load_image_processor(checkpoint)
        refuse_patches(self.processor, checkpoint)

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
        return self.processor(images=images, return_tensors="pt")["pixel_values"], read


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

    network: Module = load_vision_network(checkpoint, "cpu", ("pooler",), dtype=torch.float32)
    return network.train().requires_grad_(True)


def pooled(network: Module, pixels: Tensor, pooling: Literal["mean", "max"]) -> Tensor:
    """Mean or maximum over the places of the last feature map (or over tokens): (n, dims)."""
    hidden = network(pixel_values=pixels).last_hidden_state
    places = hidden.flatten(2) if hidden.ndim == 4 else hidden.transpose(1, 2)
    return places.amax(dim=2) if pooling == "max" else places.mean(dim=2)


class TrainedPictures:
    """Features of images by an encoder that is trained with what stands on them.

    Parameters
    ----------
    checkpoint : str
    pooling : {"mean", "max"}
    model : str
        Name of the model, for messages.

    Attributes
    ----------
    encoder : Module
    dims : int
    """

    def __init__(self, checkpoint: str, pooling: Literal["mean", "max"], model: str) -> None:
        self.encoder: Module = load_trained_encoder(checkpoint)
        self._pictures = Pictures(checkpoint)
        self._pooling = pooling
        self._model = model
        config: Any = self.encoder.config
        self.dims = int(getattr(config, "hidden_sizes", [0])[-1] or config.hidden_size)

    def batches(
        self, X: pd.DataFrame, chosen: Iterable[np.ndarray]
    ) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Yield rows and their pixels; rows whose image cannot be read are left out.

        Parameters
        ----------
        X : DataFrame
        chosen : iterable of ndarray of int
            Rows of each batch.
        """
        files = image_files(X, self._model)
        for rows in chosen:
            pixels, read = self._pictures.read([files[row] for row in rows])
            if pixels is not None:
                yield rows[read], pixels

    def features(self, inputs: Tensor, device: str) -> Tensor:
        """Features of what `batches` yields, (n, dims), computed on a device."""
        return pooled(self.encoder, inputs.to(device), self._pooling)


class FrozenArrays:
    """Mean over time of arrays, standardised by the training ads; nothing in it is trained.

    Parameters
    ----------
    X : DataFrame
        Training ads.

    Attributes
    ----------
    encoder : None
    dims : int
    """

    encoder: Module | None = None

    def __init__(self, X: pd.DataFrame) -> None:
        self._arrays = PooledArrays()
        self.dims = self._arrays.fit_transform(X).shape[1]

    def batches(
        self, X: pd.DataFrame, chosen: Iterable[np.ndarray]
    ) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Yield rows and their features."""
        import torch

        features = torch.from_numpy(self._arrays.transform(X))
        for rows in chosen:
            yield rows, features[rows]

    def features(self, inputs: Tensor, device: str) -> Tensor:
        """Features of what `batches` yields, (n, dims): the same, on a device."""
        return inputs.to(device)


Source = TrainedPictures | FrozenArrays
ENCODER_RATE = 0.1  # of the learning rate, for the encoder's own weights (Chen et al. 2019)


def parameter_groups(source: Source, own: Iterable[Tensor], rate: float) -> list[dict[str, Any]]:
    """Return what an optimiser trains: the encoder's weights at a tenth of the rate of the rest."""
    groups: list[dict[str, Any]] = [{"params": list(own)}]
    if source.encoder is not None:
        groups.append({"params": list(source.encoder.parameters()), "lr": ENCODER_RATE * rate})
    return groups


def in_batches(n: int, size: int) -> list[np.ndarray]:
    """Return the rows 0 to n - 1 in batches, in their order."""
    return [np.arange(start, min(start + size, n)) for start in range(0, n, size)]
