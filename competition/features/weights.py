"""Named arrays from a file of weights, in any of the forms that the world keeps them in."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from competition.utils.errors import FeatureError


def read_weights(path: Path) -> Mapping[str, Any]:
    """Read named arrays or tensors from a file; code in the file is never run.

    Parameters
    ----------
    path : Path
        ``.safetensors``, ``.npz``, or a state dict as torch.save writes it.

    Raises
    ------
    FeatureError
        If the file is absent, cannot be read safely, or holds something else.
    """
    import torch
    from safetensors.torch import load_file

    if not path.is_file():
        raise FeatureError(f"There is no file {path} with weights. Correct its path.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                return dict(arrays)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as bad:
        raise FeatureError(
            f"{path} is refused: it holds pickled objects beside weights, which may run code, or "
            "is no file of weights. Save the state dict alone, by torch.save or as .safetensors."
        ) from bad
    except Exception as bad:  # a damaged file: RuntimeError, OSError, ValueError, and others
        raise FeatureError(
            f"{path} cannot be read as weights ({type(bad).__name__}: {bad}). Fetch it again."
        ) from bad
    if not isinstance(found, Mapping):
        raise FeatureError(
            f"{path} holds a {type(found).__name__}, not a state dict. Save the state dict alone, "
            "by torch.save or as .safetensors."
        )
    return found
