"""Whose fault it is that an ad cannot be read or extracted: the ad's, or that of the machine.

The first is stored and counts as a missing input. The second would be stored as well, for good and
of an ad that is sound, so it ends the command.
"""

import errno
import os
import socket
import tempfile
from pathlib import Path

from competition.utils.errors import (
    CompetitionError,
    FeatureError,
    MediaError,
    causes,
    system_numbers,
)

_ROOM = "Make room there, in the folder of temporary files (TMPDIR) too."
_FILES = "Raise the limit of open files (ulimit -n), or use fewer --jobs."
_MEMORY = "Free memory, or use fewer --jobs."
_SHARE = "Look after the disk or the shared folder."
_WRITABLE = "Name a folder for temporary files that can be written to (TMPDIR)."
# Looked up by name: not every system has them all.
_REMEDIES = {
    **dict.fromkeys(("ENOSPC", "EDQUOT"), _ROOM),
    **dict.fromkeys(("EMFILE", "ENFILE"), _FILES),
    **dict.fromkeys(("ENOMEM", "EAGAIN", "ENOBUFS"), _MEMORY),
    "EROFS": _WRITABLE,
    **dict.fromkeys(("EIO", "ESTALE", "EREMOTEIO", "ENODEV", "ENXIO", "ENOLCK"), _SHARE),
    **dict.fromkeys(("ENOTCONN", "ETIMEDOUT", "ESHUTDOWN", "ECONNRESET"), _SHARE),
    **dict.fromkeys(("ENETDOWN", "ENETUNREACH", "EHOSTDOWN", "EHOSTUNREACH"), _SHARE),
}
REMEDIES = {getattr(errno, name): how for name, how in _REMEDIES.items() if hasattr(errno, name)}


def fault_of_ad(bad: Exception, path: Path | None, doing: str = "extract") -> MediaError:
    """Return what failed as the ad's own fault, unless it is the machine's or the extractor's.

    The machine's are: memory, disk, quota or open files that run out; a disk or a shared folder
    that fails, hangs or may not be written to; a folder of temporary files where none can be
    written; and a file that is not there, or may not be read,
    where its whole folder is gone, empty or closed, as one is that is not mounted. The ad's are all
    others: a file that cannot be decoded, one that is not there or may not be read among others
    that are, and what an extractor makes of it. FFmpeg's errors are the ad's, whatever number they
    bear, for a damaged film has any.

    Parameters
    ----------
    bad : Exception
        What the extractor has raised.
    path : Path or None
        The file; None of a text.
    doing : str
        What was to be done with it.

    Raises
    ------
    FeatureError
        If it is the machine's fault: what, where, and what to do.
    CompetitionError
        What has failed, if it is of any kind but MediaError.
    """
    if isinstance(bad, CompetitionError) and not isinstance(bad, MediaError):
        raise bad
    for number in system_numbers(bad):
        if number in REMEDIES:
            what = "memory has run out" if number == errno.ENOMEM else os.strerror(number)
            raise machines_fault(what, path, REMEDIES[number], doing) from bad
    if _is_of_temporary_files(bad):
        what = "no temporary file can be written"
        raise machines_fault(what, path, _WRITABLE, doing) from bad
    if path is not None and not os.access(path, os.R_OK) and _is_lost(path.parent):
        what = f"{path.parent} is gone, empty or closed"
        raise machines_fault(what, path, "Mount it again.", doing) from bad
    return bad if isinstance(bad, MediaError) else MediaError(f"{type(bad).__name__}: {bad}")


def _is_of_temporary_files(bad: Exception) -> bool:
    """Whether a temporary file was to be written, and none can be."""
    if not any(isinstance(one, OSError) and _is_temporary(one) for one in causes(bad)):
        return False
    try:
        with tempfile.TemporaryFile():
            return False
    except OSError:
        return True


def _is_temporary(bad: OSError) -> bool:
    try:
        return str(bad.filename).startswith(tempfile.gettempdir())
    except OSError:  # there is no folder for them at all
        return True


def _is_lost(folder: Path) -> bool:
    try:
        with os.scandir(folder) as found:
            return next(found, None) is None
    except OSError:
        return True


def machines_fault(
    what: str, path: Path | None, remedy: str = _MEMORY, doing: str = "extract"
) -> FeatureError:
    """Return the machine's fault as an error: what, where, and what to do."""
    where = "a text" if path is None else path
    return FeatureError(
        f"{socket.gethostname()} cannot {doing} {where}: {what}. That is no fault of the ad, so "
        f"nothing is stored of it. {remedy} What is finished is kept, and the same command goes on."
    )
