"""Which processor the networks run on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from competition.utils.errors import ModelError

CHOICES = ("auto", "cpu", "cuda", "mps")


def choose_device(name: str = "auto") -> str:
    """Return a device of this machine: the one named, or the fastest for ``"auto"``.

    Raises
    ------
    ModelError
        If there is no such device here.
    """
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.mps.is_available()}
    if name == "auto":
        return next(device for device in ("cuda", "mps", "cpu") if there[device])
    if name.partition(":")[0] not in there:
        raise ModelError(f"There is no device {name!r}: choose one of {', '.join(CHOICES)}.")
    if not there[name.partition(":")[0]]:
        found = ", ".join(device for device, here in there.items() if here)
        raise ModelError(f"This machine has no device {name!r}; it has {found}. Use --device auto.")
    return name


@contextmanager
def torch_threads(n_jobs: int) -> Iterator[None]:
    """Let torch use `n_jobs` threads (scikit-learn's meaning of negative numbers) inside."""
    import torch
    from joblib import effective_n_jobs

    before = torch.get_num_threads()
    torch.set_num_threads(effective_n_jobs(n_jobs))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def n_cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1
