"""What stands beside a text encoder in the form of sentence-transformers: pooling, layers, prompts.

::

    modules.json                        the modules in order: Transformer, Pooling, Dense, Normalize
    1_Pooling/config.json               which pooling, in one of two forms
    2_Dense/config.json, model.safetensors or pytorch_model.bin
    config_sentence_transformers.json   prompts, and which of them is put before each text
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, get_args

from competition.features.weights import read_weights
from competition.text.tokens import TokenPooling
from competition.utils.errors import FeatureError

if TYPE_CHECKING:
    from torch import Tensor

Layer = Callable[["Tensor"], "Tensor"]

# Both forms of 1_Pooling/config.json: flags, and since version 5 a name.
_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_POOLINGS: dict[str, TokenPooling] = {"cls": "cls", "mean": "mean", "lasttoken": "last"}
_ACTIVATIONS = ("Identity", "Tanh", "ReLU", "GELU", "SiLU", "Sigmoid")
_PACKAGE = "sentence_transformers."


@dataclass(frozen=True)
class SentenceLayers:
    """What a checkpoint says about making one vector of a text.

    Attributes
    ----------
    pooling : {"mean", "cls", "last"} or None
        None where it says nothing.
    layers : tuple of functions of a torch.Tensor of shape (n_texts, dims)
        What follows the pooling, in order.
    instruction : str
        What it puts before each text.
    """

    pooling: TokenPooling | None = None
    layers: tuple[Layer, ...] = ()
    instruction: str = ""


def sentence_files(checkpoint: str) -> Sequence[Path]:
    """Return the files of modules in the subfolders of a local folder, such as ``1_Pooling``."""
    folder = Path(checkpoint).expanduser()
    if not checkpoint or not folder.is_dir():
        return ()
    return sorted(path for path in folder.glob("[0-9]_*/*") if path.is_file())


def read_sentence_layers(
    checkpoint: str, pooling: TokenPooling | None, instruction: str | None, dims: int
) -> SentenceLayers:
    """Read what a checkpoint says; what the user names wins over it.

    Parameters
    ----------
    checkpoint : str
        A hub name or a local folder. Of a hub name, files count as absent that are neither in the
        cache on this machine nor to be had.
    pooling : {"mean", "cls", "last"} or None
    instruction : str or None
    dims : int
        Of the vectors of tokens.

    Raises
    ------
    FeatureError
        If a file cannot be read, or the checkpoint has a module or a pooling that is not known.
    """
    prompt = _prompt(checkpoint, instruction)
    chosen, layers = pooling, list[Layer]()
    for number, (kind, folder) in enumerate(_modules(checkpoint)):
        config = _read_json(checkpoint, f"{folder}/config.json", dict) or {}
        where = f"The checkpoint {checkpoint!r} has a module {folder} ({kind})"
        if kind == "Pooling" and number == 0:
            chosen = pooling or _stated_pooling(config, where)
            if prompt and not pooling and config.get("include_prompt") is False:
                raise FeatureError(
                    f"{where} that leaves the instruction's tokens out, which is not supported. "
                    f'Set pooling, to have them in, or instruction = "".'
                )
        elif kind == "Normalize" and number > 0:
            _check_place(config, where)
            layers.append(_normalized)
        elif kind == "Dense" and number > 0:
            _check_place(config, where)
            layer, dims = _dense(checkpoint, folder, config, dims, where)
            layers.append(layer)
        else:
            raise FeatureError(
                f"{where}, which cannot be applied here: after the network come one Pooling, and "
                "then Dense and Normalize. Choose another checkpoint."
            )
    return SentenceLayers(chosen, tuple(layers), prompt)


def _modules(checkpoint: str) -> list[tuple[str, str]]:
    """Kind and folder of each module after the network."""
    entries = _read_json(checkpoint, "modules.json", list)
    if entries is None:
        folder = "1_Pooling"
        return [("Pooling", folder)] if _path(checkpoint, f"{folder}/config.json") else []
    found = []
    for entry in entries:
        kind, folder = (str(entry.get(key, "")) for key in ("type", "path"))
        inside = PurePosixPath(folder)
        if inside.is_absolute() or ".." in inside.parts:
            raise FeatureError(
                f"modules.json of the checkpoint {checkpoint!r} names {folder!r}, outside of its "
                "folder. Choose another checkpoint."
            )
        # A class of another package would be code of the checkpoint's own.
        ours = kind.startswith(_PACKAGE)
        found.append((kind.rpartition(".")[2] if ours else kind, folder))
    if found and found[0][0] == "Transformer":
        return found[1:]
    first = found[0][0] if found else "nothing"
    raise FeatureError(
        f"modules.json of the checkpoint {checkpoint!r} begins with {first}, not with a "
        "Transformer of sentence-transformers. Choose another checkpoint."
    )


def _stated_pooling(config: dict[str, Any], where: str) -> TokenPooling:
    stated = config.get("pooling_mode")
    if stated is None:
        stated = [name for flag, name in _FLAGS.items() if config.get(flag)] or "mean"
    names = [stated] if isinstance(stated, str) else list(stated)
    if len(names) != 1 or names[0] not in _POOLINGS:
        raise FeatureError(
            f"{where} whose pooling is {' with '.join(map(str, names))}, which is not supported. "
            f"Set pooling to one of {', '.join(get_args(TokenPooling))}."
        )
    return _POOLINGS[names[0]]


def _check_place(config: dict[str, Any], where: str) -> None:
    """Refuse a layer that reads or writes something else than the vector of a text."""
    places = {config.get(f"module_{way}_name") for way in ("input", "output")}
    if others := places - {None, "sentence_embedding"}:
        raise FeatureError(
            f"{where} of {', '.join(sorted(map(str, others)))}, not of one vector a text. Choose "
            "another checkpoint."
        )


def _normalized(vectors: Tensor) -> Tensor:
    from torch.nn.functional import normalize

    return normalize(vectors, dim=-1)


def _dense(
    checkpoint: str, folder: str, config: dict[str, Any], dims: int, where: str
) -> tuple[Layer, int]:
    """Return a linear layer with its activation, and the width of what it gives."""
    from torch import nn

    stated = str(config.get("activation_function", "torch.nn.Tanh"))
    activation = stated.rpartition(".")[2]
    if not stated.startswith("torch.nn.") or activation not in _ACTIVATIONS:
        raise FeatureError(
            f"{where} with the activation {stated}; known are {', '.join(_ACTIVATIONS)}. "
            "Choose another checkpoint."
        )
    names = [f"{folder}/model.safetensors", f"{folder}/pytorch_model.bin"]
    path = next(filter(None, (_path(checkpoint, name) for name in names)), None)
    if path is None:
        raise FeatureError(f"{where} without weights. Put {names[0]} into the checkpoint.")
    weights = {name: tensor.float() for name, tensor in read_weights(path).items()}
    matrix, bias = weights.get("linear.weight"), weights.get("linear.bias")
    if matrix is None or matrix.ndim != 2 or matrix.shape[1] != dims:
        shape = "absent" if matrix is None else " x ".join(map(str, matrix.shape))
        raise FeatureError(
            f"{where} whose linear.weight is {shape}, where {dims} columns are needed. Choose "
            "another checkpoint."
        )
    residual = weights.get("residual.weight")
    passes_on, adds = getattr(nn, activation)(), bool(config.get("use_residual"))

    def layer(vectors: Tensor) -> Tensor:
        there = vectors.device
        out: Tensor = vectors @ matrix.to(there).T
        if bias is not None:
            out = out + bias.to(there)
        out = passes_on(out)
        if adds:
            out = out + (vectors if residual is None else vectors @ residual.to(there).T)
        return out

    return layer, matrix.shape[0]


def _prompt(checkpoint: str, instruction: str | None) -> str:
    if instruction is not None:
        return instruction
    said = _read_json(checkpoint, "config_sentence_transformers.json", dict) or {}
    name, prompts = said.get("default_prompt_name"), said.get("prompts")
    if name is None:
        return ""
    if not isinstance(prompts, dict) or not isinstance(prompts.get(name), str):
        raise FeatureError(
            f"config_sentence_transformers.json of the checkpoint {checkpoint!r} has no prompt of "
            f"the name {name!r}, its default_prompt_name. Set instruction."
        )
    return str(prompts[name])


def _path(checkpoint: str, name: str) -> Path | None:
    """Return the path of a checkpoint's file; None if it has none."""
    folder = Path(checkpoint).expanduser()
    if folder.is_dir():
        return folder / name if (folder / name).is_file() else None
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError

    known = try_to_load_from_cache(checkpoint, name)
    if known is not None:
        return Path(known) if isinstance(known, str) else None
    try:
        return Path(hf_hub_download(checkpoint, name))
    except EntryNotFoundError:  # the hub has none, or cannot be asked
        return None


def _read_json(checkpoint: str, name: str, kind: type) -> Any:
    """Read a JSON file of a checkpoint; None if it has none."""
    path = _path(checkpoint, name)
    if path is None:
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as bad:
        raise FeatureError(f"{path} cannot be read as JSON ({bad}). Put it right.") from bad
    entries = found if isinstance(found, list) else []
    if not isinstance(found, kind) or not all(isinstance(entry, dict) for entry in entries):
        noun = "a list of tables" if kind is list else "a table"
        raise FeatureError(f"{path} holds something else than {noun}. Put it right.")
    return found
