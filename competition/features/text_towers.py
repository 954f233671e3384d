"""The texts' half of a dual encoder: CLIP and its kin for pictures, CLAP for sounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from competition.execution.memory import AtOnce
from competition.features.encoders import load_encoder, load_pretrained, network_class
from competition.features.towers import is_dual, tower_class
from competition.utils.errors import CompetitionError, FeatureError

_KEPT = (
    "text_model",
    "text_projection",
    "logit_scale",
    "logit_scale_a",  # of CLAP, from sounds to texts
    "logit_bias",  # of SigLIP
)
_BATCH = 64  # texts in a pass


@dataclass(frozen=True, eq=False)
class TextVectors:
    """Texts in the space that a dual encoder shares with its pictures or sounds.

    Attributes
    ----------
    vectors : ndarray of shape (n_texts, dims), dtype float32
        Of length 1.
    scale : float
        Cosines times this are the logits that the encoder was trained with.
    bias : float or None
        Added to them where each pair of a picture and a text was judged by itself (SigLIP); None
        where the texts of a batch were compared (CLIP, CLAP).
    """

    vectors: np.ndarray
    scale: float
    bias: float | None


def embed_texts(checkpoint: str, texts: Sequence[str]) -> TextVectors:
    """Encode texts by the texts' half of a dual encoder, in float32 on the CPU.

    Only that half is loaded. A text longer than it reads is cut.

    Parameters
    ----------
    checkpoint : str
        A hub name or a local folder: CLIP, Chinese-CLIP, SigLIP, SigLIP 2, CLAP.
    texts : sequence of str

    Raises
    ------
    FeatureError
        If the checkpoint cannot be read, lacks weights, is no dual encoder, or cannot tell the
        texts from each other.
    """
    import torch
    from transformers import AutoConfig, AutoTokenizer

    config = load_pretrained(AutoConfig.from_pretrained, checkpoint)
    whole = network_class(config)
    if whole is None or not is_dual(whole):
        name = config.model_type if whole is None else whole.__name__
        raise FeatureError(
            f"The checkpoint {checkpoint!r}, a {name}, is no encoder of texts and of pictures or "
            "sounds. Choose one such as openai/clip-vit-base-patch32."
        )
    network = load_encoder(checkpoint, "cpu", auto=tower_class(whole, _KEPT), dtype=torch.float32)
    tokenizer = load_pretrained(AutoTokenizer.from_pretrained, checkpoint)
    try:
        encode = partial(_encoded, network, tokenizer)
        found = [vectors for _, vectors in AtOnce(_BATCH, "text").each(encode, texts)]
    except CompetitionError:
        raise
    except Exception as bad:  # whatever tokenizer and network run into
        reason = str(bad).strip().split("\n", 1)[0]
        raise FeatureError(
            f"The checkpoint {checkpoint!r}, a {whole.__name__}, cannot encode texts "
            f"({type(bad).__name__}: {reason}). Put the tokenizer's files that belong to the "
            "network into the folder."
        ) from bad
    vectors = np.concatenate(found)
    if len(set(texts)) > 1 and (vectors == vectors[0]).all():
        raise FeatureError(
            f"The checkpoint {checkpoint!r} gives {texts[0]!r} and {texts[1]!r} the same vector: "
            "its tokenizer's files are missing, or it knows none of the words. Choose a "
            "checkpoint for the language of the tags."
        )
    scale = getattr(network, "logit_scale_a", getattr(network, "logit_scale", None))
    bias = getattr(network, "logit_bias", None)
    return TextVectors(
        vectors,
        1.0 if scale is None else float(scale.exp()),
        None if bias is None else float(bias),
    )


def _encoded(network: Any, tokenizer: Any, texts: Sequence[str]) -> np.ndarray:
    """Vectors of length 1, (n_texts, dims), float32."""
    import torch
    from torch.nn.functional import normalize

    text_config = network.config.text_config
    longest = min(text_config.max_position_embeddings, tokenizer.model_max_length)
    # SigLIP was trained on texts filled up to one length, and reads its answer off the last place.
    padding = "max_length" if network.config.model_type.startswith("siglip") else True
    tokens = tokenizer(
        list(texts), padding=padding, truncation=True, max_length=longest, return_tensors="pt"
    )
    arguments = {name: tokens[name] for name in ("input_ids", "attention_mask") if name in tokens}
    with torch.inference_mode():
        vectors = network.get_text_features(**arguments).pooler_output
    return normalize(vectors, dim=1).numpy()
