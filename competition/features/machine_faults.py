"""Whose fault it is that an ad cannot be extracted: the ad's, or that of the machine.

The first is stored and counts as a missing input. The second would be stored as well, for good and
of an ad that is sound, so it ends the extraction.
"""

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from competition.utils.errors import CompetitionError, FeatureError, MediaError

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


def fault_of_ad(bad: Exception, path: Path | None) -> MediaError:
    """Return what failed as the ad's own fault, unless it is the machine's or the extractor's.

    The machine's are: memory, disk, quota or open files that run out; a disk or a shared folder
    that fails, hangs or may not be written to; and a file that is not there, or may not be read,
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

    Raises
    ------
    FeatureError
        If it is the machine's fault: what, where, and what to do.
    CompetitionError
        What has failed, if it is of any kind but MediaError.
    """
    if isinstance(bad, CompetitionError) and not isinstance(bad, MediaError):
        raise bad
    for one in _causes(bad):
        number = one.errno if isinstance(one, OSError) and not _is_ffmpegs(one) else None
        if number is not None and number in REMEDIES:
            raise _told(os.strerror(number), path, REMEDIES[number]) from bad
    if isinstance(bad, MemoryError) and not _is_ffmpegs(bad):
        raise _told("memory has run out", path, _MEMORY) from bad
    if path is not None and not os.access(path, os.R_OK) and _is_lost(path.parent):
        raise _told(f"{path.parent} is gone, empty or closed", path, "Mount it again.") from bad
    return bad if isinstance(bad, MediaError) else MediaError(f"{type(bad).__name__}: {bad}")


def _causes(bad: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while bad is not None and id(bad) not in seen:
        seen.add(id(bad))
        yield bad
        bad = bad.__cause__ or bad.__context__


def _is_ffmpegs(bad: BaseException) -> bool:
    return type(bad).__module__.startswith("av.")


def _is_lost(folder: Path) -> bool:
    try:
        with os.scandir(folder) as found:
            return next(found, None) is None
    except OSError:
        return True


def _told(what: str, path: Path | None, remedy: str) -> FeatureError:
    where = "a text" if path is None else path
    return FeatureError(
        f"{socket.gethostname()} cannot extract {where}: {what}. That is no fault of the ad, so "
        f"nothing is stored of it. {remedy} What is finished is kept, and the same command goes on."
    )
