"""Classes and functions by name, from the packages that may be named."""

import importlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from competition.utils.errors import StoreError

FORMAT = 1
STRUCTURE = "state.json"
ARRAYS = "arrays.npz"
TENSORS = "tensors.safetensors"

# Packages whose classes a state may be made of. Those of plug-ins are added by who reads.
OWN = ("competition", "torch.nn", "gensim.models")


class StateError(StoreError):
    """An object cannot be written as plain files, or such files cannot be read."""


def name_of(thing: Any) -> str:
    """Name a class or a function: ``package.module:Class``."""
    return f"{thing.__module__}:{thing.__qualname__}"


def package_of(kind: Callable[..., Any]) -> str:
    """Return the package of a class or function: the first part of its module's name."""
    return kind.__module__.partition(".")[0]


def may_be_named(module: str, packages: Sequence[str]) -> bool:
    """Whether a module lies in one of some packages."""
    return any(module == package or module.startswith(package + ".") for package in packages)


def found(name: str, packages: Sequence[str]) -> Any:
    """Return the class or function of a name.

    Raises
    ------
    StateError
        If it lies elsewhere than in `packages`, or there is no such thing.
    """
    module, _, path = name.partition(":")
    if not may_be_named(module, packages):
        raise StateError(
            f"{name} is named where only classes of {', '.join(packages)} may be. Nothing of it "
            "was run: do not use this file unless you know who changed it."
        )
    try:
        thing: Any = importlib.import_module(module)
        for part in path.split("."):
            thing = getattr(thing, part)
    except (ImportError, AttributeError) as bad:
        raise StateError(
            f"{name} is not to be had here ({bad}). Install the version that saved it."
        ) from bad
    # What a module has imported from elsewhere is not its own.
    home = getattr(thing, "__module__", None)
    if not (isinstance(home, str) and may_be_named(home, packages)):
        raise StateError(f"{name} lies in {home}, not where it is named. Nothing of it was run.")
    return thing


def check_attributes(kind: type, names: Iterable[str]) -> None:
    """Refuse attributes that would stand before what a class does.

    Raises
    ------
    StateError
        If one has the name of a method, or is one of those that torch keeps for itself.
    """
    for name in names:
        if name.startswith("__") or callable(getattr(kind, name, None)):
            raise StateError(
                f"{name} is a method of {kind.__name__}, and stands among what it learned. Nothing "
                "of it was run: do not use this file unless you know who changed it."
            )


def pretrained_kinds() -> dict[str, Any]:
    """What of transformers is written by its own `save_pretrained`, by the name of its nodes."""
    import transformers
    from transformers.image_processing_base import ImageProcessingMixin

    return {
        "network": transformers.PreTrainedModel,
        "tokenizer": transformers.PreTrainedTokenizerBase,
        "config": transformers.PreTrainedConfig,
        "image processor": ImageProcessingMixin,
        "sound processor": transformers.FeatureExtractionMixin,
    }


def trusted_types(data: bytes) -> tuple[list[str], list[str]]:
    """Tell the types that a skops file holds beyond those that skops trusts itself.

    Returns
    -------
    trusted : list of str
        Classes of scikit-learn's own, such as its trees, SciPy's sparse matrices and NumPy's dtype:
        data and no code.
    refused : list of str
        All others, functions included.
    """
    import skops.io

    unknown = skops.io.get_untrusted_types(data=data)
    trusted = [name for name in unknown if name == "numpy.dtype" or _is_class_of_data(name)]
    return trusted, [name for name in unknown if name not in trusted]


def _is_class_of_data(name: str) -> bool:
    module, _, kind = name.rpartition(".")
    if not may_be_named(module, ["sklearn", "scipy.sparse"]):
        return False
    try:
        return isinstance(getattr(importlib.import_module(module), kind, None), type)
    except ImportError:
        return False
