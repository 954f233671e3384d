"""Tiny text checkpoints of many families, with random weights, in the form of real ones."""

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from tests.conftest import PLOTS

WORDS = sorted({word for plot in PLOTS.values() for word in plot.split()} | {"Film", "a"})
N_POSITIONS = 66
_SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
_BART = {
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
}
_T5 = {
    "d_model": 16,
    "d_kv": 8,
    "d_ff": 32,
    "num_layers": 2,
    "num_decoder_layers": 1,
    "num_heads": 2,
}
CAUSAL = ("Qwen2", "Qwen3")
FINE_TUNED = ("Bert", "Roberta", "DebertaV2", "ModernBert", "XLMRoberta")
# Special tokens by their ids: padding first, or after the beginning as in RoBERTa.
_BERT_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
_ROBERTA_TOKENS = ["<s>", "<pad>", "</s>", "<unk>"]


def made_checkpoint(folder: Path, family: str, head: str = "Model", **changes: Any) -> Path:
    """Save a network of a family, with its tokenizer, into a folder."""
    is_roberta = family in ("Roberta", "XLMRoberta", "Bart")
    tokenizer = _tokenizer(_ROBERTA_TOKENS if is_roberta else _BERT_TOKENS, is_roberta)
    ids = {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.cls_token_id,
        "eos_token_id": tokenizer.sep_token_id,
    }
    shape = {"Bart": _BART, "T5": _T5}.get(family, _SMALL)
    if family in CAUSAL:
        shape = {**_SMALL, "num_key_value_heads": 1, "head_dim": 8}
    positions = {} if family == "T5" else {"max_position_embeddings": N_POSITIONS}
    if family == "ModernBert":
        positions["global_attn_every_n_layers"] = 2
    config = getattr(transformers, f"{family}Config")(**{**ids, **shape, **positions, **changes})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        getattr(transformers, f"{family}{head}")(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def made_clip(folder: Path, side: int = 32) -> Path:
    """Save a CLIP of pictures of 32 x 32 pixels; its image processor gives `side` x `side`."""
    text = {**_SMALL, "vocab_size": len(WORDS) + 4, "max_position_embeddings": 40}
    text |= {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    config = transformers.CLIPConfig(
        text_config=text,
        vision_config={**_SMALL, "image_size": 32, "patch_size": 8},
        projection_dim=12,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.CLIPModel(config).save_pretrained(folder)
    transformers.CLIPImageProcessorPil(
        size={"shortest_edge": side}, crop_size={"height": side, "width": side}
    ).save_pretrained(folder)
    _tokenizer(_BERT_TOKENS, False).save_pretrained(folder)
    return folder


def add_modules(
    folder: Path, pooling: dict[str, Any], *more: str, prompts: dict[str, Any] | None = None
) -> Path:
    """Write the files of sentence-transformers into a checkpoint, with modules after the pooling.

    Of the kinds of modules, those with a dot come as they are, as code of the checkpoint's own.
    """
    kinds = ["sentence_transformers.models.Transformer", "sentence_transformers.models.Pooling"]
    kinds += [kind if "." in kind else f"sentence_transformers.models.{kind}" for kind in more]
    names = ["", *(f"{n}_{kind.rpartition('.')[2]}" for n, kind in enumerate(kinds[1:], 1))]
    modules = [
        {"idx": n, "name": str(n), "path": name, "type": kind}
        for n, (name, kind) in enumerate(zip(names, kinds, strict=True))
    ]
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    for name in names[1:]:
        (folder / name).mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling), encoding="utf-8")
    if prompts is not None:
        path = folder / "config_sentence_transformers.json"
        path.write_text(json.dumps(prompts), encoding="utf-8")
    return folder


def add_dense(folder: Path, n_in: int, n_out: int, ending: str, **config: Any) -> torch.nn.Linear:
    """Write the files of a Dense layer into a module's folder; return the layer."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        layer = torch.nn.Linear(n_in, n_out)
    weights = {"linear.weight": layer.weight.data, "linear.bias": layer.bias.data}
    if ending == "safetensors":
        save_file(weights, folder / "model.safetensors")
    else:
        torch.save(weights, folder / "pytorch_model.bin")
    given = {"in_features": n_in, "out_features": n_out, "bias": True, **config}
    (folder / "config.json").write_text(json.dumps(given), encoding="utf-8")
    return layer


def _tokenizer(special: list[str], is_roberta: bool) -> transformers.PreTrainedTokenizerFast:
    begin, pad, end, unknown = special if is_roberta else [special[i] for i in (2, 0, 3, 1)]
    words = {word: number for number, word in enumerate([*special, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}", special_tokens=[(begin, words[begin]), (end, words[end])]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=pad,
        unk_token=unknown,
        cls_token=begin,
        sep_token=end,
        bos_token=begin,
        eos_token=end,
    )
