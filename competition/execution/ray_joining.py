"""Joining a Ray cluster, and leaving it, without waiting for ever or for nothing."""

import os
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from competition.execution.terminal import no_terminal
from competition.utils.errors import ProcessError

ADDRESS = "RAY_ADDRESS"
LOG_LEVEL = "RAY_BACKEND_LOG_LEVEL"
STATUS_OF_SIGNAL = 128  # and its number: the exit status of a process that it has ended
ANSWERS_IN = 50.0  # seconds until Ray must have answered


def check_joinable(address: str) -> None:
    """Raise a ProcessError if nobody can join a cluster there.

    Another process tries first: Ray may wait for ever, or end the process that asks.
    """
    where = f"{ADDRESS}={address}"
    if address.startswith("ray://"):
        raise ProcessError(
            f"{where} is an address of Ray's client, which sends all through one machine. Run the "
            "command on a node of the cluster and give the address of its head, HOST:6379."
        )
    if address != "auto":
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal():
            raise ProcessError(f"{where} is no address: HOST:PORT or auto is expected.")
        if not answers(host, int(port), 10):
            raise ProcessError(
                f"Nothing answers at {where}. Start Ray there (ray start --head), or unset "
                f"{ADDRESS} to start it on this machine."
            )
    code = "import ray; ray.init(address=%r, log_to_driver=False); ray.cluster_resources()"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code % address],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWERS_IN,
            check=False,
        )
    except subprocess.TimeoutExpired as bad:
        taken = "" if address == "auto" else "takes the connection but "
        raise ProcessError(
            f"Ray at {where} {taken}has not answered within {ANSWERS_IN:.0f} s. "
            "Look at `ray status` on its head; is this machine a node of the cluster "
            "(ray start --address)?"
        ) from bad
    if done.returncode and "Could not find any running Ray" in done.stderr:
        raise ProcessError(
            f"No Ray runs on this machine, where {where} looks for one. Start it here (ray start "
            f"--address=HOST:6379, or --head), or unset {ADDRESS} to let the command start its own."
        )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it ended without a word"]
        versions = [line.strip() for line in lines if "Ray:" in line]
        reason = " and ".join(versions) if "ersion mismatch" in done.stderr else lines[-1]
        raise ProcessError(
            f"Ray at {where} cannot be joined: {reason}. Is this machine a node of that cluster, "
            "and has it its token (RAY_AUTH_MODE=token, with RAY_AUTH_TOKEN or ~/.ray/auth_token)?"
        )


def answers(host: str, port: int, seconds: float) -> bool:
    """Whether something takes connections there."""
    try:
        with socket.create_connection((host, port), timeout=seconds):
            return True
    except OSError:
        return False


@contextmanager
def handlers_kept() -> Iterator[None]:
    """Undo what Ray sets for signals: a command ends in order, as it does without Ray.

    One that comes inside takes effect at the end: in the midst of its start, Ray crashes. A second
    one ends the process at once.
    """
    if threading.current_thread() is not threading.main_thread():  # where Ray sets none either
        yield
        return
    held: list[int] = []

    def hold(number: int, _: Any) -> None:
        if held:
            os._exit(STATUS_OF_SIGNAL + number)
        held.append(number)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, hold)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if held:
            signal.raise_signal(held[0])


@contextmanager
def within(seconds: float, what: str) -> Iterator[None]:
    """Raise a ProcessError after so many seconds: Ray has not so; where this is the main thread.

    Ray may catch it; so it is raised again and again, and once more at the end.
    """
    is_late = False

    def late(*_: Any) -> None:
        nonlocal is_late
        is_late = True
        raise ProcessError(
            f"Ray has not {what} within {seconds:.0f} s. Its logs are in the folder `ray` below "
            "that of temporary files, or below RAY_TMPDIR; --on local does without it."
        )

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
        if is_late:
            late()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def logs_hidden() -> Iterator[None]:
    """Let Ray, which is joined inside, print nothing on the terminal, not even that it is so.

    Only what ends the process is printed then. Where Ray is started inside, its logs would be as
    short.
    """
    before = os.environ.get(LOG_LEVEL)
    os.environ[LOG_LEVEL] = before or "fatal"
    try:
        with no_terminal():
            yield
    finally:
        if before is None:
            del os.environ[LOG_LEVEL]


@contextmanager
def quiet() -> Iterator[None]:
    """Hide warnings inside."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def end_without_ray() -> None:
    """End the process at once: without its cluster, Ray waits for it first and then crashes."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(2)


def first_sentence(bad: BaseException) -> str:
    """First sentence of what an error says, without its full stop: then Ray gives advice."""
    return first_line(bad).split(". ")[0].rstrip(".")


def first_line(bad: BaseException) -> str:
    """First line of what an error says."""
    return (str(bad).strip() or type(bad).__name__).splitlines()[0]
