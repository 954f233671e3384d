"""Which processes live, of this machine and of others that share its files; how they end."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

WATCHED_EVERY = 0.5  # seconds between two looks at whether the parent lives
INTERRUPTED, TERMINATED = 130, 143  # exit statuses of Ctrl-C and of SIGTERM, as shells give them
PATIENCE = 10.0  # seconds that an orderly end may take

_watching: set[int] = set()  # this process, once it watches its parent


def this_process() -> str:
    """Name this process among those of all machines: ``host:pid``."""
    return f"{socket.gethostname()}:{os.getpid()}"


def is_here(process: str) -> bool:
    """Whether a process, as `this_process` names it, is one of this machine."""
    return process.rpartition(":")[0] == socket.gethostname()


def another_lives(process: str) -> bool:
    """Whether a process that is not this one lives, or may live.

    A process of another machine cannot be seen from here and counts as living; so does one whose
    name cannot be read, and on Windows every process, where asking would end it.

    Parameters
    ----------
    process : str
        As `this_process` names it.

    Returns
    -------
    bool
        False for this very process: who finds its name in what an earlier run left has found a
        number that came back, as numbers do in containers.
    """
    host, _, number = process.rpartition(":")
    if host != socket.gethostname() or not number.isdecimal() or os.name == "nt":
        return process != this_process()
    try:
        os.kill(int(number), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it lives, and is another user's
        return True
    return int(number) != os.getpid()


def end_with_parent(parent: int) -> None:
    """End this process within a second of its parent's end, even where that was killed.

    A worker that nobody waits for would go on with its task, or wait for another one for ever.

    Parameters
    ----------
    parent : int
        Number of the process that waits, as that one knows it: it may have ended before this call,
        and this process would take whoever has adopted it for its parent.
    """
    from multiprocessing import get_start_method

    if os.getpid() in _watching or os.name == "nt":  # Windows does not tell
        return
    if get_start_method() == "forkserver":  # which lies between, and ends in time
        parent = os.getppid()
    _watching.add(os.getpid())
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCHED_EVERY)
    os._exit(1)


@contextmanager
def orderly_end() -> Iterator[None]:
    """Let SIGINT and SIGTERM end the block in order, what is half written removed.

    The first raises SystemExit with the status 130 or 143. The second ends the process at once, as
    does the time where something holds it up; workers follow, and the next command that writes to
    the same folder removes what was left there.
    """
    if threading.current_thread() is not threading.main_thread():  # no other has handlers
        yield
        return
    ended: int | None = None

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal ended
        ended = status = INTERRUPTED if number == signal.SIGINT else TERMINATED
        for one in before:
            signal.signal(one, lambda *_: os._exit(status))
        # What libraries do not let through, or only from a thread, is no news.
        sys.unraisablehook = lambda _: None
        threading.excepthook = lambda _: None
        deadline = threading.Timer(PATIENCE, os._exit, (status,))
        deadline.daemon = True
        deadline.start()
        raise SystemExit(status)

    before = {one: signal.signal(one, end) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except SystemExit:
        if ended is not None:  # a library may have made another status of it, as Ray does
            raise SystemExit(ended) from None
        raise
    finally:
        if ended is None:
            for one, handler in before.items():
                signal.signal(one, handler)


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Ignore SIGINT inside: processes that are started there inherit that, and never see Ctrl-C.

    A terminal sends it to all processes of a command; the one that waits ends the others.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
