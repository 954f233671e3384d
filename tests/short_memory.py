"""Memory that runs out, as on a GPU, where more than some ads go through a network together."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.nn.utils.parametrizations import _WeightNorm
from torch.overrides import TorchFunctionMode

# How networks that are no modules compute a layer: by `@`, or by `torch.addmm`.
MATMUL = (torch.Tensor.matmul, torch.Tensor.__matmul__)
ADDMM = (torch.addmm,)


class _Products(TorchFunctionMode):
    def __init__(self, functions: Collection[Any], refuse: Callable[[Tensor], None]) -> None:
        super().__init__()
        self.functions, self.refuse = functions, refuse

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in self.functions:
            self.refuse(args[-2])
        return function(*args, **kwargs or {})


@contextmanager
def short_memory(most: int, products: Collection[Any] = ()) -> Iterator[list[int]]:
    """Raise torch.OutOfMemoryError where a network is called with more than `most` ads.

    Parameters
    ----------
    most : int
    products : collection of functions
        `MATMUL` or `ADDMM`, to watch a network that is no module.

    Yields
    ------
    list of int
        Grows by the number of ads of every call, whether they fitted or not.
    """
    seen: list[int] = []

    def refuse(units: Tensor) -> None:
        seen.append(len(units))
        if len(units) > most:
            raise torch.OutOfMemoryError(f"{len(units)} ads do not fit")

    def hook(module: torch.nn.Module, args: tuple[Any, ...]) -> None:
        if isinstance(module, _WeightNorm):  # it is called with weights
            return
        if args and isinstance(args[0], Tensor) and args[0].is_floating_point():
            refuse(args[0])

    watching = register_module_forward_pre_hook(hook)
    try:
        with _Products(products, refuse):
            yield seen
    finally:
        watching.remove()
