"""Regions of a picture as vectors: what a detector finds, or the cells of a grid."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from competition.datasets.base import InputKind
from competition.execution.memory import AtOnce
from competition.features.base import Extractor, Item
from competition.features.encoders import checkpoint_files, load_pretrained
from competition.features.image_processors import needed_packages, refuse_patches
from competition.features.pictures import pictures
from competition.features.registry import extractor
from competition.features.vision_encoders import load_vision_encoder
from competition.utils.errors import FeatureError, MediaError
from competition.utils.parameters import Count, Share, Whole
from competition.utils.versions import installed

if TYPE_CHECKING:
    import torch

CELL_SIDE = 8  # pixels of a cell's thumbnail, where there is no network


@extractor("regions", kinds=("image", "video"), gives="array", version=2)
class Regions(Extractor):
    """Regions of an image, or of a film's key frame, one vector each.

    What they are depends on the checkpoint:

    - a detector (DETR, RT-DETR and others that answer a list of queries): the detections, best
      first, each the last state of its query;
    - any other vision encoder: the cells of a `grid` x `grid` grid, each the mean of the patches in
      it, from one pass over the whole picture;
    - none: the same cells as thumbnails of 8 x 8 colours.

    Parameters
    ----------
    checkpoint : str
        A hub name or a local folder; "" for thumbnails.
    most : int
        Detections at most. 36: the usual number of bottom-up features (Anderson et al. 2018).
    threshold : float
        Score that a detection must have; the best one is kept whatever its score.
    grid : int
        Cells along either side of the picture.
    at_ms : int
        The key frame of a film is on show at this time; in a shorter film, the first one is.
    device : str
    """

    libraries = ("PIL", "torch", "transformers")

    def __init__(
        self,
        checkpoint: str = "",
        most: Count = 36,
        threshold: Share = 0.3,
        grid: Count = 4,
        at_ms: Whole = 1000,
        device: str = "auto",
    ) -> None:
        self.checkpoint = checkpoint
        self.most = most
        self.threshold = threshold
        self.grid = grid
        self.at_ms = at_ms
        self.device = device

    def files(self) -> Sequence[Path]:
        """Files of a checkpoint in a local folder."""
        return checkpoint_files(self.checkpoint)

    def prepared_by(self, kind: InputKind) -> dict[str, str]:
        """Versions of what decodes pictures, and of what else the checkpoint's processor needs."""
        if not self.checkpoint:
            return super().prepared_by(kind)
        return {**super().prepared_by(kind), **installed(*needed_packages(self.checkpoint))}

    def extract_one(self, item: Item) -> np.ndarray:
        """Return the regions of one ad, best or top left first.

        Returns
        -------
        ndarray of shape (regions, dims), dtype float16

        Raises
        ------
        MediaError
            If the ad has no picture.
        FeatureError
            If a setting or the checkpoint does not fit.
        """
        for name in ("most", "grid"):
            if getattr(self, name) < 1:
                raise FeatureError(
                    f"regions: {name} is {getattr(self, name)}; set it to 1 or more."
                )
        if not self.checkpoint:
            return self._thumbnails(_key_picture(item, self.at_ms, CELL_SIDE * self.grid * 4))
        if not hasattr(self, "network_"):
            self._load()
        picture = _key_picture(item, self.at_ms)
        vectors = AtOnce(1, "picture").again(lambda _: self._encoded(picture))
        if not np.isfinite(vectors).all():
            raise MediaError("the network gives numbers that float16 cannot hold")
        return vectors

    def _load(self) -> None:
        from transformers import AutoConfig

        config = load_pretrained(AutoConfig.from_pretrained, self.checkpoint)
        # What it was saved from: a detector is loaded with the heads that score its queries.
        self.detects_ = any(
            name.endswith("ForObjectDetection") for name in config.architectures or ()
        )
        auto = "AutoModelForObjectDetection" if self.detects_ else "AutoModel"
        missing = () if self.detects_ else ("pooler",)
        self.network_, self.processor_ = load_vision_encoder(
            self.checkpoint, self.device, missing, auto=auto
        )
        refuse_patches(self.processor_, self.checkpoint)

    def _encoded(self, picture: np.ndarray) -> np.ndarray:
        import torch

        # Channels last is said: a picture one pixel high does not show it.
        pixels = self.processor_(picture, input_data_format="channels_last", return_tensors="pt")
        given = pixels["pixel_values"].to(self.network_.device, self.network_.dtype)
        with torch.inference_mode():
            output = self.network_(pixel_values=given)
            vectors = self._detections(output) if self.detects_ else self._cells(output, given)
        return vectors.float().half().cpu().numpy()

    def _detections(self, output: Any) -> torch.Tensor:
        """Last states of the queries that find something, best first: (n, dims)."""
        logits, states = output.logits[0].float(), output.last_hidden_state[0]
        if len(states) != len(logits):
            raise FeatureError(
                f"regions: {self.checkpoint!r} has no state for each of its detections. Choose a "
                "detector with a decoder, such as DETR or RT-DETR."
            )
        # With one class more than it has labels, the last means that there is nothing.
        if logits.shape[1] > self.network_.config.num_labels:
            scores = logits.softmax(dim=1)[:, :-1].amax(dim=1)
        else:
            scores = logits.sigmoid().amax(dim=1)
        order = scores.argsort(descending=True, stable=True)[: self.most]
        n_kept = max(1, int((scores[order] >= self.threshold).sum()))
        return states[order[:n_kept]]

    def _cells(self, output: Any, pixels: torch.Tensor) -> torch.Tensor:
        """Mean of the patches in each cell, row by row: (grid * grid, dims)."""
        from torch.nn import functional

        hidden = output.last_hidden_state.float()
        if hidden.ndim == 3:  # tokens of a transformer, not maps of a convolutional network
            height, width = self._patches(hidden.shape[1], *pixels.shape[2:])
            patches = hidden[:, hidden.shape[1] - height * width :]
            hidden = patches.transpose(1, 2).unflatten(2, (height, width))
        return functional.adaptive_avg_pool2d(hidden, self.grid)[0].flatten(1).T

    def _patches(self, n_tokens: int, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of patches; class and register tokens come before them."""
        side = getattr(self.network_.config, "patch_size", None) or 0
        down, across = (side, side) if isinstance(side, int) else side
        rows, columns = height // max(down, 1), width // max(across, 1)
        # A hierarchical network merges patches on its way.
        merged = max(1, isqrt(rows * columns // n_tokens))
        rows, columns = rows // merged, columns // merged
        if not side or not 0 < rows * columns <= n_tokens:
            raise FeatureError(
                f"regions: {self.checkpoint!r} does not say which part of the picture its tokens "
                "stand for. Choose another vision encoder, such as a ViT."
            )
        return rows, columns

    def _thumbnails(self, picture: np.ndarray) -> np.ndarray:
        from PIL import Image

        size = (CELL_SIDE * self.grid,) * 2
        small = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))
        cells = small.reshape(self.grid, CELL_SIDE, self.grid, CELL_SIDE, 3).swapaxes(1, 2)
        return (cells.reshape(self.grid**2, -1) / 255).astype(np.float16)


def _key_picture(item: Item, at_ms: int, side: int | None = None) -> np.ndarray:
    frames = pictures(item, at_ms, side)
    first = next(frames)
    return next(frames, first)
