"""Vision encoders with their image processors; a pair that does not go together is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from competition.features.encoders import load_encoder, load_pretrained, network_class
from competition.utils.errors import FeatureError

_HEIGHT, _WIDTH = 60, 90  # of the picture that a pair is tried on


def load_vision_encoder(
    checkpoint: str, device: str, allowed_missing: Sequence[str] = (), *, auto: str = "AutoModel"
) -> tuple[Any, Any]:
    """Load a network that reads pictures, and its image processor, for inference.

    Parameters
    ----------
    checkpoint : str
        A hub name or a local folder. Of an encoder of pictures and texts, that of pictures is
        returned.
    device : str
    allowed_missing : sequence of str
        See `competition.features.encoders.load_encoder`.
    auto : str
        The class of transformers that loads the network.

    Returns
    -------
    network : transformers.PreTrainedModel
    processor : transformers.BaseImageProcessor

    Raises
    ------
    FeatureError
        If the checkpoint cannot be read, lacks weights, reads no pictures, or cannot read those
        that its image processor gives.
    """
    from transformers import AutoConfig, AutoImageProcessor

    config = load_pretrained(AutoConfig.from_pretrained, checkpoint)
    plain = network_class(config)
    read = getattr(plain, "input_modalities", "image")
    if plain is not None and "image" not in ((read,) if isinstance(read, str) else read):
        raise FeatureError(
            f"The checkpoint {checkpoint!r} is no vision encoder but a {plain.__name__}, which "
            "reads no pictures. Choose one such as google/vit-base-patch16-224."
        )
    network = load_encoder(checkpoint, device, allowed_missing, auto=auto)
    network = getattr(network, "vision_model", network)
    processor = load_pretrained(AutoImageProcessor.from_pretrained, checkpoint, backend="pil")
    try_out(network, processor, checkpoint)
    return network, processor


def try_out(network: Any, processor: Any, checkpoint: str) -> None:
    """Encode a made picture; what fails with it would fail with every picture.

    Raises
    ------
    FeatureError
        If the network cannot read what the image processor gives.
    """
    import torch

    picture = np.random.default_rng(0).integers(0, 256, (_HEIGHT, _WIDTH, 3), dtype=np.uint8)
    given = "no pictures"
    try:
        pixels = processor(picture, input_data_format="channels_last", return_tensors="pt")
        pixels = pixels["pixel_values"].to(network.device, network.dtype)
        given = "pictures of " + " x ".join(map(str, pixels.shape[-2:]))
        with torch.inference_mode():
            network(pixel_values=pixels)
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
