"""What the layers of an encoder give, one or several of them.

Layers are counted as transformers counts hidden states: 1 is the first layer, -1 the last one, -2
the one before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field

from competition.utils.errors import FeatureError

if TYPE_CHECKING:
    import torch

LAST = (-1,)


def _sensible(layers: tuple[int, ...]) -> tuple[int, ...]:
    for place, number in enumerate(layers):
        if number == 0:
            raise ValueError("no layer is number 0; 1 is the first one, -1 the last")
        if number in layers[:place]:
            raise ValueError(f"{number} stands twice; name it once")
    return layers


Layers = Annotated[tuple[int, ...], Field(min_length=1), AfterValidator(_sensible)]


@dataclass(frozen=True)
class LayerOutput:
    """What one layer gives.

    Attributes
    ----------
    states : torch.Tensor
        (n, tokens, dims), or maps. Of the last layer they are what the network gives as a whole, as
        ``last_hidden_state``: many networks have a normalisation at their end, which the states of
        other layers have not gone through.
    is_last : bool
    """

    states: torch.Tensor
    is_last: bool


def layer_outputs(network: Any, layers: Sequence[int], **inputs: torch.Tensor) -> list[LayerOutput]:
    """Run a network and return what some of its layers give, in the order of `layers`.

    All hidden states are asked for only where another layer than the last is named.

    Parameters
    ----------
    network : transformers.PreTrainedModel
        Its output has ``last_hidden_state``.
    layers : sequence of int
    **inputs : torch.Tensor
        The arguments of the network.

    Raises
    ------
    FeatureError
        If the network has fewer layers, two numbers stand for one layer, or it does not say what
        its layers give.
    """
    if tuple(layers) == LAST:
        return [LayerOutput(network(**inputs).last_hidden_state, True)]
    named = f"layers = {list(layers)}, but the network, a {type(network).__name__},"
    if hasattr(network, "timm_model"):  # its maps lack the embeddings, tokens and a fixed axis
        raise FeatureError(f"{named} is one of timm, of which only the last is read: set [-1].")
    output = network(**inputs, output_hidden_states=True)
    states = getattr(output, "hidden_states", None)
    if not states:
        raise FeatureError(f"{named} does not say what its layers give: set [-1].")
    end = len(states) - 1  # the first of them is what goes into the first layer
    return [
        LayerOutput(output.last_hidden_state if place == end else states[place], place == end)
        for place in _places(layers, end, named)
    ]


def _places(layers: Sequence[int], n_layers: int, named: str) -> list[int]:
    """Count layers from the first, which is 1."""
    places = [number if number > 0 else n_layers + 1 + number for number in layers]
    if not places or 0 in layers or not all(1 <= place <= n_layers for place in places):
        has = "1 layer" if n_layers == 1 else f"{n_layers} layers"
        raise FeatureError(
            f"{named} has {has}. Name some from 1 to {n_layers}, or from -{n_layers} to -1."
        )
    for place in places:
        same = [number for number, other in zip(layers, places, strict=True) if other == place]
        if len(same) > 1:
            raise FeatureError(
                f"{named} has {n_layers}, so that {same[0]} and {same[1]} are the same one. Name "
                "it once."
            )
    return places
