"""Image processors of checkpoints; none of them needs torchvision unless transformers does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from competition.features.encoders import load_pretrained
from competition.utils.errors import FeatureError

if TYPE_CHECKING:
    import torch

_RESCALED_FIRST = "DINOv3ViTImageProcessor"
_MODES = {2: "bilinear", 3: "bicubic"}  # by the numbers of PIL.Image.Resampling


def load_image_processor(checkpoint: str) -> Any:
    """Load the image processor of a checkpoint, in the form that works on Pillow's images.

    Raises
    ------
    FeatureError
        If there is none, or it needs a package that is not installed.
    """
    from transformers import AutoImageProcessor
    from transformers.models.auto.image_processing_auto import get_image_processor_config

    settings = load_pretrained(get_image_processor_config, checkpoint)
    if settings.get("image_processor_type", "").removesuffix("Fast") == _RESCALED_FIRST:
        return RescaledFirst(settings, checkpoint)
    return load_pretrained(AutoImageProcessor.from_pretrained, checkpoint, backend="pil")


def needed_packages(checkpoint: str) -> tuple[str, ...]:
    """Packages beside Pillow that prepare a checkpoint's pictures: torchvision, timm, or none."""
    from importlib.util import find_spec

    if find_spec("torchvision") is None:
        return ()
    from transformers.image_processing_backends import PilBackend

    processor = load_image_processor(checkpoint)
    if isinstance(processor, PilBackend | RescaledFirst):
        return ()
    return ("torchvision", "timm") if "Timm" in type(processor).__name__ else ("torchvision",)


def refuse_patches(processor: Any, checkpoint: str) -> None:
    """Raise a FeatureError if an image processor cuts pictures into patches, as NaFlex does."""
    if "spatial_shapes" in processor.model_input_names:
        raise FeatureError(
            f"The checkpoint {checkpoint!r} reads pictures as patches (NaFlex), which the feature "
            "vit alone gives it. Choose a vision encoder of pictures of one size."
        )


class RescaledFirst:
    """DINOv3's image processor: rescales, resizes and normalises, in that order.

    Transformers has it in a form for torchvision alone. Resizing colours between 0 and 1 rounds
    none of them to a byte.

    Parameters
    ----------
    settings : dict
        The checkpoint's preprocessor_config.json.
    checkpoint : str

    Raises
    ------
    FeatureError
        If the settings say more than a size in pixels, how to resize, and how to scale colours.
    """

    model_input_names = ("pixel_values",)

    def __init__(self, settings: dict[str, Any], checkpoint: str) -> None:
        from transformers.image_utils import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

        given = {name: value for name, value in settings.items() if value is not None}
        size = given.get("size", {"height": 224, "width": 224})
        resample = given.get("resample", 2)
        more = [name for name in ("do_center_crop", "do_pad") if given.get(name)]
        if more or set(size) != {"height", "width"} or resample not in _MODES:
            what = f"{more[0]} = true" if more else f"size = {size} and resample = {resample}"
            raise FeatureError(
                f"The preprocessor_config.json of {checkpoint!r} says {what}; read are a height "
                "and a width, by bilinear (2) or bicubic (3) resampling. Put the right file into "
                "the folder."
            )
        self.size = (size["height"], size["width"]) if given.get("do_resize", True) else None
        self.mode = _MODES[resample]
        self.factor = given.get("rescale_factor", 1 / 255) if given.get("do_rescale", True) else 1.0
        normalised = given.get("do_normalize", True)
        self.mean = given.get("image_mean", IMAGENET_DEFAULT_MEAN) if normalised else [0.0]
        self.deviation = given.get("image_std", IMAGENET_DEFAULT_STD) if normalised else [1.0]

    def __call__(self, images: Any, **_: Any) -> dict[str, torch.Tensor]:
        """Process a picture or several, RGB with channels last: ``pixel_values``, float32."""
        import torch

        several = images if isinstance(images, Sequence) else [images]
        return {"pixel_values": torch.stack([self._processed(np.array(one)) for one in several])}

    def _processed(self, picture: np.ndarray) -> torch.Tensor:
        import torch
        from torch.nn.functional import interpolate

        colours = torch.from_numpy(picture).permute(2, 0, 1)[None] * self.factor
        if self.size is not None:
            colours = interpolate(colours, self.size, mode=self.mode, antialias=True)
        mean, deviation = (torch.tensor(n).view(-1, 1, 1) for n in (self.mean, self.deviation))
        return ((colours - mean) / deviation)[0]
