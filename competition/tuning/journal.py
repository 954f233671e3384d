"""A study's journal: a file that machines append to, each change of the study as one line.

A machine that goes down, or whose disk is full, may leave half a line at the end. Whoever appends
next cuts it off first, under the lock that all take to append.
"""

import errno
import os
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalStorage

from competition.utils.errors import TuningError

BEGINS = b'{"op_code":'  # every line, and so the file
BLOCK = 4096  # bytes
# After these, the same command goes on.
MENDED = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS),
    *(errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE),
}


def open_journal(path: Path, url: str) -> JournalStorage:
    """Open a journal, or begin one; one lock file beside it is enough on NFS from 3 on.

    Raises
    ------
    TuningError
        If there can be no such file, or it holds something else.
    StorageInternalError
        If the system refuses to read or write it, for a reason that can be mended.
    """
    file = str(path.absolute())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        try:
            with _told():
                backend = _Backend(file, _Lock(file))
                with open(file, "rb") as journal:
                    if not BEGINS.startswith(journal.read(len(BEGINS))):
                        raise ValueError
            return JournalStorage(backend)
        except (OSError, ValueError, KeyError) as bad:
            reason = bad.strerror if isinstance(bad, OSError) else "it holds something else"
            raise TuningError(
                f"The storage {url} cannot be opened ({reason}). Give a file in a folder that "
                "exists, like journal:studies.journal, or leave --storage out."
            ) from bad


@contextmanager
def _told() -> Iterator[None]:
    """Turn an error of the system into the one that databases raise."""
    try:
        yield
    except OSError as bad:
        if bad.errno not in MENDED:
            raise
        raise StorageInternalError(bad.strerror) from bad


class _Lock(JournalFileOpenLock):
    """Once it is held, the file ends with a whole line."""

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self._file = file

    def acquire(self) -> bool:
        super().acquire()
        try:
            _cut_half_line(self._file)
        except BaseException:
            self.release()
            raise
        return True


class _Backend(JournalFileBackend):
    """Raises what databases raise."""

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        with _told():
            yield from super().read_logs(log_number_from)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        with _told():
            super().append_logs(logs)


def _cut_half_line(path: str) -> None:
    """Cut off what a process has not written to the end of its line."""
    with open(path, "r+b") as file:
        size = end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - BLOCK)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            end = start if found < 0 else start + found + 1
            if found >= 0:
                break
        if end < size:
            file.truncate(end)
