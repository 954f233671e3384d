"""Devices, threads and cores of this machine."""

import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from typing import Any

from competition.utils.errors import ModelError

CHOICES = ("auto", "cpu", "cuda", "mps")
CUDA_ITSELF = 600 * 2**20  # bytes of a card that a process takes before any tensor


def check_device_name(name: str) -> None:
    """Raise a ModelError if no machine has a device of that name."""
    if name.partition(":")[0] not in CHOICES:
        raise ModelError(f"There is no device {name!r}. Choose one of {', '.join(CHOICES)}.")


def choose_device(name: str = "auto") -> str:
    """Return the named device of this machine, or its fastest for ``"auto"``.

    Raises
    ------
    ModelError
        If this machine has no such device.
    """
    check_device_name(name)
    if name == "cpu":
        return name
    import torch

    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.mps.is_available()}
    if name == "auto":
        return next(device for device in ("cuda", "mps", "cpu") if available[device])
    if not available[name.partition(":")[0]]:
        found = ", ".join(device for device, usable in available.items() if usable)
        raise ModelError(f"This machine has no device {name!r}; it has {found}. Use --device auto.")
    return name


def gpu_capacity(device: str) -> int:
    """Bytes of a CUDA card that tasks may take: nine tenths of what is free now."""
    import torch

    free, _ = torch.cuda.mem_get_info(device)
    return int(0.9 * free)


def release_gpu() -> int:
    """Give the memory of the card that this process no longer uses back to others.

    Returns
    -------
    int
        The most bytes that it has held since it last gave them back; 0 without a card.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0
    held = torch.cuda.max_memory_reserved()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return int(held) + CUDA_ITSELF


@contextmanager
def torch_threads(n_jobs: int) -> Iterator[None]:
    """Give torch `n_jobs` threads inside; negative numbers mean what they mean in scikit-learn."""
    import torch
    from joblib import effective_n_jobs

    before = torch.get_num_threads()
    torch.set_num_threads(effective_n_jobs(n_jobs))
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def one_thread(libraries: Collection[str]) -> Iterator[None]:
    """Give native libraries one thread inside: sums in another order have other last bits.

    Parameters
    ----------
    libraries : collection of str
        What the block imports. PyTorch must be told by itself, and before it starts.
    """
    has_torch = "torch" in libraries or "torch" in sys.modules
    with native_libraries().limit(limits=1), torch_threads(1) if has_torch else nullcontext():
        yield


def native_libraries() -> Any:
    """Return threadpoolctl's controller of the libraries that are loaded."""
    return _controller(len(sys.modules))


@lru_cache(maxsize=1)
def _controller(n_modules: int) -> Any:  # to look for them takes longer than to predict an ad
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def n_cores() -> int:
    """Return the number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1
