"""Pictures as a network takes them: resized where they are decoded, the rest on its device."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from competition.utils.errors import FeatureError

if TYPE_CHECKING:
    import torch

_SIZES = ((60, 90), (120, 50))  # of two pictures that an image processor is tried on


class PictureInputs(ABC):
    """What an image processor does, in two steps.

    Parameters
    ----------
    processor : transformers.BaseImageProcessor
    """

    def __init__(self, processor: Any) -> None:
        self.processor = processor

    @abstractmethod
    def prepare(self, picture: np.ndarray) -> np.ndarray:
        """Turn a picture, uint8 (height, width, 3), into an array that is cheap to pass on.

        All results have one shape and dtype.
        """

    @abstractmethod
    def inputs(self, prepared: torch.Tensor) -> dict[str, torch.Tensor]:
        """Turn prepared pictures, (n, ...), into the network's arguments, on their device."""


def picture_inputs(processor: Any, checkpoint: str) -> PictureInputs:
    """Return the cheapest steps that give what an image processor gives.

    Raises
    ------
    FeatureError
        If it gives pictures of several sizes.
    """
    kinds: tuple[type[PictureInputs], ...] = (Resized, Whole)
    if "spatial_shapes" in processor.model_input_names:
        kinds = (Patches,)
    for kind in kinds:
        steps = kind(processor)
        if _is_alike(steps):
            return steps
    raise FeatureError(
        f"The image processor of {checkpoint!r}, a {type(processor).__name__}, does more than "
        "resize to one size, crop and scale colours. Choose a vision encoder of single pictures."
    )


class Resized(PictureInputs):
    """Pictures that travel as bytes, (3, height, width); colours are scaled on the device."""

    def prepare(self, picture: np.ndarray) -> np.ndarray:
        """Resize and crop."""
        return _unscaled(self.processor, picture)["pixel_values"]

    def inputs(self, prepared: torch.Tensor) -> dict[str, torch.Tensor]:
        """Scale colours: ``pixel_values``, float32 (n, 3, height, width)."""
        return {"pixel_values": _scaled(self.processor, prepared, (-1, 1, 1))}


class Patches(PictureInputs):
    """NaFlex of SigLIP 2: as many patches as fit, in the picture's own proportions.

    Prepared pictures are int16 (patches, values + 2): the last two columns hold the number of rows
    and of columns of patches; what is left of the patches is padding.
    """

    def prepare(self, picture: np.ndarray) -> np.ndarray:
        """Resize, and cut into patches."""
        given = _unscaled(self.processor, picture)
        patches, shape = (
            given[name].astype(np.int16) for name in ("pixel_values", "spatial_shapes")
        )
        return np.hstack([patches, np.broadcast_to(shape, (len(patches), 2))])

    def inputs(self, prepared: torch.Tensor) -> dict[str, torch.Tensor]:
        """Scale colours, and tell patches from padding.

        Returns
        -------
        dict
            ``pixel_values``, float32 (n, patches, values); ``pixel_attention_mask``, int64 (n,
            patches), 0 for padding; ``spatial_shapes``, int64 (n, 2).
        """
        import torch

        shapes = prepared[:, 0, -2:].long()
        places = torch.arange(prepared.shape[1], device=prepared.device)
        mask = places < shapes.prod(dim=1, keepdim=True)
        # The values of a patch are its pixels, one after another, each with its three colours.
        pixels = prepared[..., :-2].unflatten(2, (-1, 3))
        scaled = _scaled(self.processor, pixels, (3,)).flatten(2) * mask[..., None]
        return {
            "pixel_values": scaled,
            "pixel_attention_mask": mask.long(),
            "spatial_shapes": shapes,
        }


class Whole(PictureInputs):
    """Pictures that are processed where they are decoded, float32 (3, height, width)."""

    def prepare(self, picture: np.ndarray) -> np.ndarray:
        """Process the picture."""
        return _processed(self.processor, picture)["pixel_values"].astype(np.float32)

    def inputs(self, prepared: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``pixel_values`` as they are."""
        return {"pixel_values": prepared}


def _processed(processor: Any, picture: np.ndarray, **options: Any) -> dict[str, np.ndarray]:
    """Return what an image processor gives for one picture."""
    from PIL import Image
    from transformers.image_processing_backends import PilBackend

    if isinstance(processor, PilBackend):
        # Channels last is said: a picture one pixel high does not show it.
        given = processor(
            picture, input_data_format="channels_last", return_tensors="np", **options
        )
    else:
        given = processor(Image.fromarray(picture), return_tensors="pt", **options)
    return {name: np.asarray(values[0]) for name, values in given.items()}


def _unscaled(processor: Any, picture: np.ndarray) -> dict[str, np.ndarray]:
    return _processed(processor, picture, do_rescale=False, do_normalize=False)


def _scaled(processor: Any, pixels: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Scale colours as an image processor does, float32; `shape` puts them on their axis."""
    scaled = pixels.float()
    if processor.do_rescale:
        scaled = scaled * processor.rescale_factor
    if processor.do_normalize:
        mean, deviation = (
            scaled.new_tensor(numbers).view(shape)
            for numbers in (processor.image_mean, processor.image_std)
        )
        scaled = (scaled - mean) / deviation
    return scaled


def _is_alike(steps: PictureInputs) -> bool:
    """Tell whether both steps together give what the processor alone gives."""
    import torch

    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in _SIZES]
    try:
        prepared = torch.from_numpy(np.stack([steps.prepare(picture) for picture in pictures]))
        ours = steps.inputs(prepared)
        for row, picture in enumerate(pictures):
            wanted = _processed(steps.processor, picture)
            for name, values in ours.items():
                if not np.allclose(values[row].numpy(), wanted[name], atol=1e-4):
                    return False
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError):
        return False
    return True
