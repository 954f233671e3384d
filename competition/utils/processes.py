"""Which processes live, of this machine and of others that share its files."""

import os
import socket


def this_process() -> str:
    """Name this process among those of all machines: ``host:pid``."""
    return f"{socket.gethostname()}:{os.getpid()}"


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
