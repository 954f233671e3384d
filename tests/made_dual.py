"""Tiny dual encoders with random weights, in the form of real ones; their texts can be placed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
_SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
_VISION = {**_SMALL, "image_size": 32, "patch_size": 8}
_SOUND = {
    "hidden_size": 32,
    "patch_embeds_hidden_size": 16,
    "depths": [1, 1],
    "num_attention_heads": [2, 2],
    "num_mel_bins": 16,
    "spec_size": 64,
    "window_size": 4,
    "patch_size": 2,
    "patch_stride": 2,
}
LONGEST = 30  # tokens of a text
DIMS = 12  # of CLIP, Chinese-CLIP and CLAP; of SigLIP 16


def made_dual(folder: Path, family: str, words: Sequence[str]) -> Path:
    """Save a dual encoder that knows some words, its tokenizer and its feature extractor."""
    tokenizer = letters() if family == "Siglip2" else tokenizer_of(words)
    text = {**_SMALL, "vocab_size": len(tokenizer), "max_position_embeddings": LONGEST}
    text |= {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    other = {"audio_config": _SOUND} if family == "Clap" else {"vision_config": _VISION}
    if family == "Siglip2":
        patches = {name: value for name, value in _VISION.items() if name != "image_size"}
        other = {"vision_config": {**patches, "num_patches": 16}}
    width = {} if family.startswith("Siglip") else {"projection_dim": DIMS}
    if family == "Clap":
        for half in (text, _SOUND):
            half.update(width)  # type: ignore[attr-defined]
    config = getattr(transformers, f"{family}Config")(text_config=text, **other, **width)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        getattr(transformers, f"{family}Model")(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if family == "Siglip2":
        transformers.Siglip2ImageProcessorPil(patch_size=8, max_num_patches=20).save_pretrained(
            folder
        )
    elif family == "Clap":
        transformers.ClapFeatureExtractor(
            feature_size=16, max_length_s=2, truncation="rand_trunc"
        ).save_pretrained(folder)
    else:
        square = {"height": 32, "width": 32}
        transformers.CLIPImageProcessorPil(
            size=square, do_center_crop=False, crop_size=square
        ).save_pretrained(folder)
    return folder


def letters() -> transformers.Siglip2Tokenizer:
    """SigLIP 2's own kind of tokenizer, of letters."""
    special = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")
    known = {
        token: number for number, token in enumerate([*special, *"▁abcdefghijklmnopqrstuvwxyz"])
    }
    return transformers.Siglip2Tokenizer(vocab=known, merges=[], model_max_length=LONGEST)


def tokenizer_of(words: Sequence[str]) -> transformers.PreTrainedTokenizerFast:
    """One token per word, between [CLS] and [SEP]."""
    known = {word: number for number, word in enumerate([*SPECIAL, *words])}
    tokenizer = Tokenizer(models.WordLevel(known, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        bos_token="[CLS]",
        eos_token="[SEP]",
        model_max_length=LONGEST,
    )


def place_texts(folder: Path, texts: Sequence[str], vectors: np.ndarray) -> None:
    """Set the text projection of a CLIP so that each text has a given vector, (n_texts, dims)."""
    network = transformers.CLIPModel.from_pretrained(folder).eval()
    with torch.no_grad():
        hidden = network.text_model(**_tokens(folder, texts)).pooler_output.double()
        wanted = torch.from_numpy(np.asarray(vectors, dtype=np.float64))
        network.text_projection.weight.copy_((torch.linalg.pinv(hidden) @ wanted).T)
    network.save_pretrained(folder)


def plain_texts(folder: Path, texts: Sequence[str], **padding: Any) -> np.ndarray:
    """Vectors of texts by the whole network of transformers, of length 1."""
    network = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        found = network.get_text_features(**_tokens(folder, texts, **padding)).pooler_output
    return torch.nn.functional.normalize(found, dim=1).numpy()


def _tokens(folder: Path, texts: Sequence[str], **padding: Any) -> dict[str, Any]:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    given = tokenizer(list(texts), return_tensors="pt", **{"padding": True, **padding})
    return {name: given[name] for name in ("input_ids", "attention_mask")}
