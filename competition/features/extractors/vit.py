"""Pictures and frames as vectors of a pre-trained vision encoder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np

from competition.datasets.base import InputKind
from competition.execution.memory import AtOnce
from competition.features.base import Extracted, Extractor, Item
from competition.features.encoders import checkpoint_files, unnamed
from competition.features.frame_stream import Chunk, frame_stream
from competition.features.hidden_layers import LAST, Layers, layer_outputs
from competition.features.image_processors import needed_packages
from competition.features.picture_inputs import picture_inputs
from competition.features.registry import extractor
from competition.features.vision_encoders import load_vision_encoder
from competition.utils.errors import FeatureError, MediaError
from competition.utils.parameters import Count
from competition.utils.versions import installed

if TYPE_CHECKING:
    import torch

Pooling = Literal["cls", "mean", "pooler", "projection"]


@extractor("vit", kinds=("image", "video"), gives="array", version=2)
class ViT(Extractor):
    """One vector per picture or frame, by any vision encoder of Hugging Face's.

    A video is sampled every `every_ms`. Frames of many ads fill one batch. The network computes in
    bfloat16 on processors made for it. Memory does not grow with an ad's length, but for the
    vectors themselves.

    Parameters
    ----------
    checkpoint : str
        A hub name or a local folder; "" leaves the feature out.
    every_ms : int
        Milliseconds between two frames of a video. 500: the video paper, section 3.2.3.
    pooling : {"cls", "mean", "pooler", "projection"}
        What stands for a picture: the class token, the mean of the patches, what the network's
        pooler makes of them, or, of an encoder of pictures and texts such as CLIP, the vector that
        it compares to those of texts. Of a convolutional network, ``"pooler"`` gives what its
        classifier sees.
    layers : tuple of int
        Layers of the network whose vectors stand side by side, in this order: 1 is the first, -1
        the last one; of a network in stages (Swin, ResNet, ConvNeXt), its stages. The last layer's
        have mostly gone through a layer norm at the network's end, those of the others have not.
        ``"pooler"`` and ``"projection"`` are made of the last layer alone.
    device : str
    batch_size : int
        Frames per pass of the network; only on a GPU are they of several ads. Where memory runs
        out it is halved.
    """

    libraries = ("PIL", "av", "torch", "transformers")
    neutral: ClassVar[Mapping[str, Any]] = {"layers": LAST}

    def __init__(
        self,
        checkpoint: str = "",
        every_ms: Count = 500,
        pooling: Pooling = "cls",
        layers: Layers = LAST,
        device: str = "auto",
        batch_size: Count = 32,
    ) -> None:
        self.checkpoint = checkpoint
        self.every_ms = every_ms
        self.pooling = pooling
        self.layers = layers
        self.device = device
        self.batch_size = batch_size

    def lacks(self) -> str:
        """Say that no checkpoint is named, if so."""
        return unnamed(self.checkpoint, "vision encoder")

    def files(self) -> Sequence[Path]:
        """Files of a checkpoint in a local folder."""
        return checkpoint_files(self.checkpoint)

    def prepared_by(self, kind: InputKind) -> dict[str, str]:
        """Versions of what decodes pictures, and of what else the checkpoint's processor needs."""
        return {**super().prepared_by(kind), **installed(*needed_packages(self.checkpoint))}

    def extract(self, items: Sequence[Item], n_workers: int = 0) -> Iterator[Extracted]:
        """Yield the vectors of each ad, (frames, dims) float16, or its MediaError, in order."""
        encoder = _loaded_encoder(self.checkpoint, self.device, self.pooling, tuple(self.layers))
        stream = frame_stream(
            items, self.every_ms, encoder.pictures.prepare, self.batch_size, n_workers
        )
        batches = _batches(stream, self.batch_size, self.on_gpu())
        vectors: dict[int, list[np.ndarray]] = defaultdict(list)
        ready: dict[int, Extracted] = {}
        row = 0
        for batch, encoded in _one_late(batches, encoder, AtOnce(self.batch_size, "picture")):
            for owner, vector in zip(batch.owners, encoded, strict=True):
                vectors[owner].append(vector)
            for ended, bad in batch.ended:
                found = vectors.pop(ended, [])
                ready[ended] = bad or _joined(found)
            while row in ready:
                yield ready.pop(row)
                row += 1

    def extract_one(self, item: Item) -> np.ndarray:
        """Return the vectors of one ad, (frames, dims) float16."""
        result = next(self.extract([item]))
        if isinstance(result, MediaError):
            raise result
        assert isinstance(result, np.ndarray)
        return result


@dataclass
class _Batch:
    """Frames of one pass, the ads they belong to, and the ads that are at their end with them."""

    frames: list[np.ndarray] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    ended: list[tuple[int, MediaError | None]] = field(default_factory=list)


def _batches(stream: Iterable[tuple[int, Chunk]], size: int, spans_ads: bool) -> Iterator[_Batch]:
    batch = _Batch()
    for row, chunk in stream:
        if not isinstance(chunk, np.ndarray):
            batch.ended.append((row, chunk))
            if not spans_ads:
                yield batch
                batch = _Batch()
            continue
        for frame in chunk:
            if len(batch.frames) == size:
                yield batch
                batch = _Batch()
            batch.frames.append(frame)
            batch.owners.append(row)
    yield batch


def _one_late(
    batches: Iterable[_Batch], encoder: _Encoder, at_once: AtOnce
) -> Iterator[tuple[_Batch, list[np.ndarray]]]:
    """Encode batches; a result is waited for when the next pass is already under way."""
    before: tuple[_Batch, list[_Started]] | None = None
    for batch in batches:
        started = [part for _, part in at_once.each(encoder.start, batch.frames)]
        if before is not None:
            yield before[0], _vectors(before[1])
        before = batch, started
    if before is not None:
        yield before[0], _vectors(before[1])


def _vectors(started: Iterable[_Started]) -> list[np.ndarray]:
    return [vector for part in started for vector in part.get()]


def _joined(vectors: list[np.ndarray]) -> np.ndarray | MediaError:
    if not vectors:
        return MediaError("it has no frame")
    joined = np.stack(vectors)
    if not np.isfinite(joined).all():
        return MediaError("the vision encoder gives numbers that float16 cannot hold")
    return joined


class _Encoder:
    """A vision encoder, and how it wants its pictures."""

    def __init__(
        self, checkpoint: str, device: str, pooling: Pooling, layers: tuple[int, ...]
    ) -> None:
        if pooling not in get_args(Pooling):
            known = ", ".join(get_args(Pooling))
            raise FeatureError(f"vit: pooling = {pooling!r} is unknown. Choose one of {known}.")
        if pooling in ("pooler", "projection") and layers != LAST:
            raise FeatureError(
                f"vit: pooling = {pooling!r} is made of the last layer alone, which does not go "
                f"with layers = {list(layers)}. Set layers to [-1], or pooling to cls or mean."
            )
        missing = () if pooling == "pooler" else ("pooler",)
        self.network, processor = load_vision_encoder(
            checkpoint, device, missing, projected=pooling == "projection"
        )
        self.checkpoint = checkpoint
        self.pooling = pooling
        self.layers = layers
        self.pictures = picture_inputs(processor, checkpoint)

    def start(self, frames: Sequence[np.ndarray]) -> _Started:
        """Encode prepared pictures; on a GPU the result is still to come."""
        import torch

        prepared = torch.from_numpy(np.stack(frames))
        on_gpu = self.network.device.type == "cuda"
        if on_gpu:
            prepared = prepared.pin_memory()
        with torch.inference_mode():
            prepared = prepared.to(self.network.device, non_blocking=True)
            inputs = self.pictures.inputs(prepared)
            inputs["pixel_values"] = inputs["pixel_values"].to(self.network.dtype)
            vectors = self._vectors(inputs).float().half()
        if not on_gpu:
            return _Started(vectors.cpu())
        vectors = vectors.to("cpu", non_blocking=True)
        event = torch.cuda.Event()
        event.record()
        return _Started(vectors, event)

    def _vectors(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Vectors of the pictures, (n, dims)."""
        import torch

        if self.pooling in ("cls", "mean"):
            outputs = layer_outputs(self.network, self.layers, **inputs)
            return torch.cat([self._pooled(output.states, inputs) for output in outputs], dim=1)
        projected = self.pooling == "projection"
        output = (self.network.get_image_features if projected else self.network)(**inputs)
        pooled = getattr(output, "pooler_output", None)
        if pooled is None:
            raise self._no_pooling("has no pooler")
        return pooled.flatten(1)

    def _pooled(self, hidden: torch.Tensor, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Vectors of the pictures, (n, dims), of what one layer gives."""
        if hidden.ndim == 4 and hasattr(self.network, "timm_model"):
            raise self._no_pooling("does not say which axis of its maps holds the channels")
        if hidden.ndim == 4:  # channels, height, width: a convolutional network
            if self.pooling == "cls":
                raise self._no_pooling("has no class token")
            return hidden.float().mean(dim=(2, 3))
        n_before = self._n_before(hidden.shape[1], inputs["pixel_values"].shape)
        if self.pooling == "cls":
            if n_before == 0:
                raise self._no_pooling("has no class token")
            return hidden[:, 0]
        patches = hidden[:, n_before:].float()
        mask = inputs.get("pixel_attention_mask")
        if mask is None:
            return patches.mean(dim=1)
        there = mask[..., None].float()
        return (patches * there).sum(dim=1) / there.sum(dim=1)

    def _n_before(self, n_tokens: int, shape: Sequence[int]) -> int:
        """Tokens before those of the patches: class, distillation and register tokens."""
        if self.network.config.model_type == "dinov3_convnext":
            return 1  # it puts the mean of its maps first
        if timm := getattr(self.network, "timm_model", None):
            return int(getattr(timm, "num_prefix_tokens", 0))
        side = getattr(self.network.config, "patch_size", None)
        if side is None or len(shape) == 3:  # pictures that come in patches
            return 0
        height, width = (side, side) if isinstance(side, int) else side
        # A hierarchical network merges patches on its way and has no tokens beside them.
        return max(0, n_tokens - (shape[2] // height) * (shape[3] // width))

    def _no_pooling(self, reason: str) -> FeatureError:
        return FeatureError(
            f"vit: pooling = {self.pooling!r} does not suit {self.checkpoint!r}, which {reason}. "
            f"Choose another of {', '.join(get_args(Pooling))}."
        )


@dataclass(frozen=True)
class _Started:
    """Vectors that may still be on their way from a GPU."""

    vectors: torch.Tensor
    event: Any = None

    def get(self) -> np.ndarray:
        """Wait for them: (n, dims), float16."""
        if self.event is not None:
            self.event.synchronize()
        return self.vectors.numpy()


@lru_cache(maxsize=1)  # a process is handed ads many times, each time with another ViT
def _loaded_encoder(
    checkpoint: str, device: str, pooling: Pooling, layers: tuple[int, ...] = LAST
) -> _Encoder:
    return _Encoder(checkpoint, device, pooling, layers)
