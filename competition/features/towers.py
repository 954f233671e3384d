"""One tower of a dual encoder: the weights of the other are not read."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any


def is_dual(whole: type | None) -> bool:
    """Tell whether a class of transformers encodes texts beside pictures or sounds."""
    return hasattr(whole, "get_text_features")


def tower_class(whole: type, kept: Collection[str]) -> type:
    """Return a class of transformers without some of its parts.

    What it does not have is not read from a checkpoint either.

    Parameters
    ----------
    whole : type
        Such as ``transformers.CLIPModel``.
    kept : collection of str
        Names of the modules and parameters to keep, such as ``"vision_model"``.
    """

    def initialise(self: Any, config: Any) -> None:
        whole.__init__(self, config)  # type: ignore[misc]
        for name in [*self._modules, *self._parameters]:
            if name not in kept:
                delattr(self, name)

    def initialise_weights(self: Any, module: Any) -> None:
        if module is not self:  # the whole's own weights are read, or gone
            whole._init_weights(self, module)  # type: ignore[attr-defined]

    # Under the whole's name and module: transformers looks up by them how weights were renamed.
    methods = {"__init__": initialise, "_init_weights": initialise_weights}
    return type(whole.__name__, (whole,), {**methods, "__module__": whole.__module__})
