"""Vision encoders with their image processors; a pair that does not go together is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from competition.execution.memory import AtOnce
from competition.features.encoders import load_encoder, load_pretrained, network_class
from competition.features.image_processors import load_image_processor
from competition.features.towers import is_dual, tower_class
from competition.utils.errors import CompetitionError, FeatureError

if TYPE_CHECKING:
    import torch

TOWER = "vision_model"  # of an encoder of pictures and texts
PROJECTION = "visual_projection"
_SIDES = (60, 90)  # of the picture that a pair is tried on
# What networks take of what their image processors give.
_ARGUMENTS = ("pixel_values", "pixel_attention_mask", "spatial_shapes")


def load_vision_encoder(
    checkpoint: str,
    device: str,
    allowed_missing: Sequence[str] = (),
    *,
    auto: str = "AutoModel",
    projected: bool = False,
) -> tuple[Any, Any]:
    """Load a network that reads pictures, and its image processor, for inference.

    Parameters
    ----------
    checkpoint : str
        A hub name or a local folder. Of an encoder of pictures and texts, that of pictures alone is
        loaded.
    device : str
    allowed_missing : sequence of str
        See `competition.features.encoders.load_encoder`.
    auto : str
        The class of transformers that loads the network.
    projected : bool
        Keep the way from pictures into the space of the texts, as ``get_image_features``.

    Returns
    -------
    network : transformers.PreTrainedModel
    processor : transformers.BaseImageProcessor

    Raises
    ------
    FeatureError
        If the checkpoint cannot be read, lacks weights, reads no pictures, has no projection, or
        cannot read those that its image processor gives.
    """
    network = load_vision_network(
        checkpoint, device, allowed_missing, auto=auto, projected=projected
    )
    processor = load_image_processor(checkpoint)
    try_out(getattr(network, TOWER, network), processor, checkpoint)
    return network, processor


def load_vision_network(
    checkpoint: str,
    device: str,
    allowed_missing: Sequence[str] = (),
    *,
    auto: str = "AutoModel",
    projected: bool = False,
    dtype: torch.dtype | None = None,
) -> Any:
    """Load a network that reads pictures; see `load_vision_encoder`."""
    from transformers import AutoConfig

    config = load_pretrained(AutoConfig.from_pretrained, checkpoint)
    plain = network_class(config)
    read = getattr(plain, "input_modalities", "image")
    if plain is not None and "image" not in ((read,) if isinstance(read, str) else read):
        raise FeatureError(
            f"The checkpoint {checkpoint!r} is no vision encoder but a {plain.__name__}, which "
            "reads no pictures. Choose one such as google/vit-base-patch16-224."
        )
    if auto != "AutoModel" or plain is None or not is_dual(plain):
        if projected:
            raise FeatureError(
                f"The checkpoint {checkpoint!r} is no encoder of pictures and texts, so that it "
                "has no projection. Choose one such as openai/clip-vit-base-patch32, or another "
                "pooling."
            )
        return load_encoder(checkpoint, device, allowed_missing, auto=auto, dtype=dtype)
    kept = (TOWER, PROJECTION) if projected else (TOWER,)
    network = load_encoder(
        checkpoint, device, allowed_missing, auto=tower_class(plain, kept), dtype=dtype
    )
    if not hasattr(network, TOWER):
        raise FeatureError(
            f"The checkpoint {checkpoint!r}, a {plain.__name__}, has no {TOWER} that could be "
            "taken out of it. Choose an encoder such as openai/clip-vit-base-patch32."
        )
    return network if projected else getattr(network, TOWER)


def try_out(network: Any, processor: Any, checkpoint: str) -> None:
    """Encode a made picture; what fails with it would fail with every picture.

    Raises
    ------
    FeatureError
        If the network cannot read what the image processor gives, or draws at random.
    """
    import torch
    from PIL import Image

    colours = np.random.default_rng(0).integers(0, 256, (*_SIDES, 3), dtype=np.uint8)
    given = "no pictures"
    try:
        found = processor(Image.fromarray(colours), return_tensors="pt")
        inputs = {name: found[name].to(network.device) for name in _ARGUMENTS if name in found}
        pixels = inputs["pixel_values"] = inputs["pixel_values"].to(network.dtype)
        given = "pictures of " + " x ".join(map(str, pixels.shape[-2:]))
        with torch.inference_mode():
            one = AtOnce(1, "picture")
            once, again = (one.again(lambda _: network(**inputs)[0]) for _ in range(2))
    except CompetitionError:
        raise
    except Exception as bad:  # whatever processor and network run into
        side = getattr(network.config, "image_size", None)
        height, width = (side, side) if isinstance(side, int | None) else side
        reads = f"reads {height} x {width}" if side else "cannot read them"
        reason = str(bad).strip().split("\n", 1)[0]
        raise FeatureError(
            f"The image processor of {checkpoint!r} gives {given}, and the network, a "
            f"{type(network).__name__}, {reads} ({type(bad).__name__}: {reason}). Put the "
            "preprocessor_config.json that belongs to the network into the folder."
        ) from bad
    if once.shape != again.shape or not torch.equal(once, again):
        raise FeatureError(
            f"The checkpoint {checkpoint!r}, a {type(network).__name__}, encodes the same picture "
            "differently each time: it hides patches at random. Choose another vision encoder."
        )
