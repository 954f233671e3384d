"""Pretrained encoders in Hugging Face's format, from the hub or a local folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from competition.execution.devices import choose_device
from competition.features.hub import absent_folder
from competition.utils.errors import FeatureError
from competition.utils.quiet import quiet

if TYPE_CHECKING:
    import torch

# Weights in pickle form are read by torch.load(weights_only=True), which runs no code. Weights of
# other shapes are reported by `check_weights`, as transformers names none of them.
LOADING = {"output_loading_info": True, "weights_only": True, "ignore_mismatched_sizes": True}

# How transformers says that a package is not installed.
_LACKING = re.compile(r"requires the (\w+) library|Missing optional dependencies: (\w+)")
_DIGITS = re.compile(r"(?<=\.)\d+(?=\.)")


def unnamed(checkpoint: str, what: str, such_as: str = "") -> str:
    """Say that no checkpoint is named, for `Extractor.lacks`; "" if one is."""
    if checkpoint:
        return ""
    return f"No {what} is named: set checkpoint to a hub name{such_as} or the folder of one."


def checkpoint_files(model: str) -> Sequence[Path]:
    """Return the files of a checkpoint in a local folder; none where `model` is a hub name."""
    folder = Path(model).expanduser()
    if not model or not folder.is_dir():
        return ()
    return sorted(path for path in folder.iterdir() if path.is_file() and path.name[0] != ".")


def network_dtype(device: str) -> torch.dtype:
    """Return bfloat16 where the device multiplies such matrices much faster, else float32.

    Faster are GPUs that support bfloat16 and CPUs with AMX units; both sum in float32.
    """
    import torch

    if device.startswith("cuda"):
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = device == "cpu" and bool(torch.cpu.get_capabilities().get("amx_bf16"))
    return torch.bfloat16 if fast else torch.float32


def load_encoder(
    model: str,
    device: str,
    allowed_missing: Sequence[str] = (),
    *,
    auto: str | type = "AutoModel",
    dtype: torch.dtype | None = None,
) -> Any:
    """Load the network of a checkpoint for inference.

    Parameters
    ----------
    model : str
        A hub name or a local folder.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ....
    allowed_missing : sequence of str
        Components that the checkpoint may lack, as their output is not used, such as ``"pooler"``.
    auto : str or type
        The class that loads it, or the name of one in transformers; ``"AutoModel"`` leaves out any
        head.
    dtype : torch.dtype, optional
        Of the weights; by default the device's `network_dtype`.

    Returns
    -------
    transformers.PreTrainedModel

    Raises
    ------
    FeatureError
        If the checkpoint does not exist, cannot be read or lacks weights that are used.
    """
    import transformers

    found_device = choose_device(device)
    loader: Any = getattr(transformers, auto) if isinstance(auto, str) else auto
    network, info = load_pretrained(
        loader.from_pretrained,
        model,
        dtype=network_dtype(found_device) if dtype is None else dtype,
        **LOADING,
    )
    check_weights(network, info, model, allowed_missing)
    return network.eval().requires_grad_(False).to(found_device)


def check_weights(
    network: Any, info: dict[str, Any], model: str, allowed_missing: Sequence[str] = ()
) -> None:
    """Refuse a network whose weights are not all those of its checkpoint.

    Parameters
    ----------
    network : transformers.PreTrainedModel
    info : dict
        What ``from_pretrained`` of transformers says where it is called with `LOADING`.
    model : str
    allowed_missing : sequence of str
        Components that may be new.

    Raises
    ------
    FeatureError
        If weights are missing, have other shapes, or belong to layers that the network lacks.
    """

    def needed(key: str) -> bool:
        return not any(name in key.split(".") for name in allowed_missing)

    what = f"of the weights of a {type(network).__name__}"
    if lacking := sorted(filter(needed, info["missing_keys"])):
        raise FeatureError(
            f"The checkpoint {model!r} lacks {len(lacking)} {what}, the first of them "
            f"{lacking[0]}: they would be random. Choose another checkpoint, or another pooling if "
            "the pooler is missing."
        )
    if others := sorted(found for found in info["mismatched_keys"] if needed(found[0])):
        name, *shapes = others[0]
        there, wanted = (" x ".join(map(str, shape)) for shape in shapes)
        raise FeatureError(
            f"The checkpoint {model!r} has other shapes than its config.json for {len(others)} "
            f"{what}; the first of them, {name}, is {there} in place of {wanted}. Put the right "
            "config.json into the folder."
        )
    kinds = {_DIGITS.sub("#", key) for key in network.state_dict()}
    prefix = f"{network.base_model_prefix}."
    above = sorted(
        key
        for key in info["unexpected_keys"]
        if _DIGITS.search(key) and _DIGITS.sub("#", key.removeprefix(prefix)) in kinds
    )
    if above:
        raise FeatureError(
            f"The checkpoint {model!r} has more layers than its config.json says: {len(above)} "
            f"weights would be left out, the first of them {above[0]}. Put the right config.json "
            "into the folder."
        )


def network_class(config: Any) -> type | None:
    """Return the class of transformers for a checkpoint without any head, None if unknown."""
    from transformers import MODEL_MAPPING

    if type(config) not in MODEL_MAPPING:
        return None
    found = MODEL_MAPPING[type(config)]
    network: type | None = found[0] if isinstance(found, tuple) else found
    return network


def load_pretrained(load: Callable[..., Any], model: str, **options: Any) -> Any:
    """Call a ``from_pretrained`` of transformers without its output or a checkpoint's own code.

    A checkpoint in a local folder or in the hub's cache on this machine is read without network
    access.

    Raises
    ------
    FeatureError
        Whatever transformers raises.
    """
    folder = Path(model).expanduser()
    if (absent := absent_folder(model)) is not None:
        raise FeatureError(f"There is no folder {absent} with a checkpoint. Correct its path.")
    name = str(folder) if folder.is_dir() else model
    # Said outright: where it is left open, transformers asks on the terminal.
    options = {**options, "trust_remote_code": False}
    try:
        with quiet():
            try:
                return load(name, local_files_only=True, **options)
            except OSError:
                if folder.is_dir():
                    raise
                return load(name, **options)
    except Exception as bad:  # transformers raises OSError, ValueError, KeyError, and others
        if "custom code" in str(bad):
            raise FeatureError(
                f"The checkpoint {model!r} needs Python code of its own (auto_map in its "
                "config.json or tokenizer_config.json), which is never run. Choose a checkpoint "
                "whose architecture transformers knows."
            ) from bad
        if lacking := _LACKING.search(str(bad)):
            package = (lacking[1] or lacking[2]).lower()
            raise FeatureError(
                f"The checkpoint {model!r} needs the package {package}, which is not installed. "
                f"Install it (`pip install {package}`), or choose another checkpoint."
            ) from bad
        reason = str(bad).strip().split("\n", 1)[0]
        hint = (
            "The folder must hold config.json, model.safetensors and the settings of the tokenizer "
            "or image processor."
            if folder.is_dir()
            else "Check its name and the network connection, or give a local folder."
        )
        raise FeatureError(
            f"The checkpoint {model!r} cannot be loaded ({type(bad).__name__}: {reason}). {hint}"
        ) from bad
