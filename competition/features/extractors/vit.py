"""Pictures and frames as vectors of a pre-trained vision encoder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from competition.features.base import Extracted, Extractor, Item
from competition.features.encoders import checkpoint_files
from competition.features.frame_stream import Chunk, frame_stream
from competition.features.registry import extractor
from competition.features.vision_encoders import load_vision_encoder
from competition.utils.errors import FeatureError, MediaError
from competition.utils.parameters import Count

if TYPE_CHECKING:
    import torch

Pooling = Literal["cls", "mean", "pooler"]

_SIZES = ((60, 90), (120, 50))  # of two pictures that an image processor is tried on


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
    pooling : {"cls", "mean", "pooler"}
        What stands for a picture: the class token, the mean of the patches, or what the network's
        pooler makes of them. Of a convolutional network, ``"pooler"`` gives what its classifier
        sees.
    device : str
    batch_size : int
        Frames per pass of the network; only on a GPU are they of several ads.
    """

    libraries = ("PIL", "av", "torch", "transformers")

    def __init__(
        self,
        checkpoint: str = "",
        every_ms: Count = 500,
        pooling: Pooling = "cls",
        device: str = "auto",
        batch_size: Count = 32,
    ) -> None:
        self.checkpoint = checkpoint
        self.every_ms = every_ms
        self.pooling = pooling
        self.device = device
        self.batch_size = batch_size

    def lacks(self) -> str:
        """Say that no checkpoint is named, if so."""
        if self.checkpoint:
            return ""
        return "No vision encoder is named: set checkpoint to a hub name or the folder of one."

    def files(self) -> Sequence[Path]:
        """Files of a checkpoint in a local folder."""
        return checkpoint_files(self.checkpoint)

    def extract(self, items: Sequence[Item], n_workers: int = 0) -> Iterator[Extracted]:
        """Yield the vectors of each ad, (frames, dims) float16, or its MediaError, in order."""
        encoder = _loaded_encoder(self.checkpoint, self.device, self.pooling)
        prepare = partial(_resized, encoder.processor)
        stream = frame_stream(items, self.every_ms, prepare, self.batch_size, n_workers)
        batches = _batches(stream, self.batch_size, self.on_gpu())
        vectors: dict[int, list[np.ndarray]] = defaultdict(list)
        ready: dict[int, Extracted] = {}
        row = 0
        for batch, encoded in _one_late(batches, encoder):
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


def _one_late(batches: Iterable[_Batch], encoder: _Encoder) -> Iterator[tuple[_Batch, np.ndarray]]:
    """Encode batches; a result is waited for when the next pass is already under way."""
    before = None
    for batch in batches:
        result = encoder.start(batch.frames)
        if before is not None:
            yield before[0], before[1].get()
        before = batch, result
    if before is not None:
        yield before[0], before[1].get()


def _joined(vectors: list[np.ndarray]) -> np.ndarray | MediaError:
    if not vectors:
        return MediaError("it has no frame")
    joined = np.stack(vectors)
    if not np.isfinite(joined).all():
        return MediaError("the vision encoder gives numbers that float16 cannot hold")
    return joined


def _processed(processor: Any, picture: np.ndarray, **options: bool) -> np.ndarray:
    # Channels last is said: a picture one pixel high does not show it.
    given = processor(picture, input_data_format="channels_last", return_tensors="np", **options)
    return given["pixel_values"][0]


def _resized(processor: Any, picture: np.ndarray) -> np.ndarray:
    """Resize and crop a picture as the checkpoint wants it: uint8 (3, height, width)."""
    return _processed(processor, picture, do_rescale=False, do_normalize=False)


class _Encoder:
    """A vision encoder and its image processor.

    Pictures are resized where they are decoded and travel as bytes; colours are scaled here.
    """

    def __init__(self, checkpoint: str, device: str, pooling: Pooling) -> None:
        if pooling not in get_args(Pooling):
            known = ", ".join(get_args(Pooling))
            raise FeatureError(f"vit: pooling = {pooling!r} is unknown. Choose one of {known}.")
        missing = () if pooling == "pooler" else ("pooler",)
        self.network, self.processor = load_vision_encoder(checkpoint, device, missing)
        self.checkpoint = checkpoint
        self.pooling = pooling
        self._check_processor()

    def start(self, frames: Sequence[np.ndarray]) -> _Started:
        """Encode resized pictures; on a GPU the result is still to come."""
        import torch

        if not frames:
            return _Started(torch.empty(0))
        pixels = torch.from_numpy(np.stack(frames))
        on_gpu = self.network.device.type == "cuda"
        if on_gpu:
            pixels = pixels.pin_memory()
        with torch.inference_mode():
            pixels = self._scaled(pixels.to(self.network.device, non_blocking=True))
            output = self.network(pixel_values=pixels.to(self.network.dtype))
            vectors = self._pooled(output, pixels.shape[2:]).float().half()
        if not on_gpu:
            return _Started(vectors.cpu())
        vectors = vectors.to("cpu", non_blocking=True)
        event = torch.cuda.Event()
        event.record()
        return _Started(vectors, event)

    def _scaled(self, pixels: torch.Tensor) -> torch.Tensor:
        """Scale colours as the image processor does: float32 (n, 3, height, width)."""
        scaled = pixels.float()
        if self.processor.do_rescale:
            scaled *= self.processor.rescale_factor
        if self.processor.do_normalize:
            mean, deviation = (
                scaled.new_tensor(numbers).view(-1, 1, 1)
                for numbers in (self.processor.image_mean, self.processor.image_std)
            )
            scaled = (scaled - mean) / deviation
        return scaled

    def _check_processor(self) -> None:
        """Make sure that this way of scaling gives what the processor alone would give."""
        import torch

        rng = np.random.default_rng(0)
        pictures = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in _SIZES]
        try:
            ours = [
                self._scaled(torch.from_numpy(_resized(self.processor, picture))).numpy()
                for picture in pictures
            ]
            wanted = [_processed(self.processor, picture) for picture in pictures]
            same = ours[0].shape == ours[1].shape and np.allclose(ours, wanted, atol=1e-4)
        except (AttributeError, KeyError, TypeError, ValueError):
            same = False
        if not same:
            raise FeatureError(
                f"vit: the image processor of {self.checkpoint!r}, a "
                f"{type(self.processor).__name__}, does more than resize to one size, crop and "
                "scale colours. Choose a vision encoder of single pictures."
            )

    def _pooled(self, output: Any, size: torch.Size) -> torch.Tensor:
        """Vectors of the pictures, (n, dims)."""
        if self.pooling == "pooler":
            pooled = getattr(output, "pooler_output", None)
            if pooled is None:
                raise self._no_pooling("has no pooler")
            return pooled.flatten(1)
        hidden = output.last_hidden_state
        if hidden.ndim == 4:  # channels, height, width: a convolutional network
            if self.pooling == "cls":
                raise self._no_pooling("has no class token")
            return hidden.float().mean(dim=(2, 3))
        n_extra = self._n_extra_tokens(hidden.shape[1], size)
        if self.pooling == "mean":
            return hidden[:, n_extra:].float().mean(dim=1)
        if n_extra == 0:
            raise self._no_pooling("has no class token")
        return hidden[:, 0]

    def _n_extra_tokens(self, n_tokens: int, size: torch.Size) -> int:
        """Tokens before those of the patches: class, distillation and register tokens."""
        side = getattr(self.network.config, "patch_size", None)
        if side is None:
            return 0
        height, width = (side, side) if isinstance(side, int) else side
        # A hierarchical network merges patches on its way and has no tokens beside them.
        return max(0, n_tokens - (size[0] // height) * (size[1] // width))

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
def _loaded_encoder(checkpoint: str, device: str, pooling: Pooling) -> _Encoder:
    return _Encoder(checkpoint, device, pooling)
