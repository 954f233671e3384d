"""A tunable whose processes elsewhere are machines of their own, by name; the first is lost."""

import ctypes
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

CLONE_NEWUTS = 0x04000000
FOLDER = "MADE_MACHINES"  # variable that is set for the processes elsewhere

if FOLDER in os.environ and socket.gethostname() == os.environ["MADE_HOST"]:
    if ctypes.CDLL(None).unshare(CLONE_NEWUTS) != 0:
        raise OSError("this process cannot have a host name of its own")
    socket.sethostname(f"node-{os.getpid()}")


def oof(params: dict[str, Any]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Score a skill; the first process to do so is lost in the midst of it."""
    n, n_tags = (int(one) for one in os.environ["MADE_SHAPE"].split())
    noise = np.random.default_rng(0).random((n, n_tags), dtype=np.float32)
    for fold in range(3):
        ads = np.arange(n) % 3 == fold
        yield ads, params["skill"] * noise[ads]
        lost = Path(os.environ[FOLDER], "lost")
        try:
            lost.touch(exist_ok=False)
        except FileExistsError:
            continue
        lost.write_text(socket.gethostname())
        os.kill(os.getpid(), signal.SIGKILL)


def space(trial: Any) -> dict[str, Any]:
    """One parameter."""
    return {"skill": trial.suggest_float("skill", 0, 1)}


def profile_with(params: dict[str, Any]) -> Any:
    """No profile is asked for."""
    raise AssertionError
