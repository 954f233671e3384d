"""Locks between processes: who works on what, and who waits for whom.

::

    <folder>/<name>.lock      locked by the operating system as long as its holder lives
    <folder>/<name>.holder    ``host:pid`` of the holder, for whoever waits

A lock ends with its process, however that ends: nothing has to be cleared away. The files stay and
hold no content of worth.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from competition.utils.errors import StoreError
from competition.utils.files import told_as_write_error
from competition.utils.processes import this_process
from competition.utils.progress import Progress

LONGEST_WAIT = 24 * 3600  # seconds
POLL = 0.1  # seconds


@contextmanager
def locked(folder: Path, names: Iterable[str], progress: Progress) -> Iterator[None]:
    """Hold the locks of all `names` during the block; wait for those that others hold.

    Names are locked in sorted order, so that two processes never wait for each other.

    Parameters
    ----------
    folder : Path
        Holds the files of the locks.
    names : iterable of str
        None of them locked by this process already.
    progress : Progress
        Is told once of each process that is waited for.

    Raises
    ------
    StoreError
        If another process holds a lock for longer than a day.
    WriteError
        If the files of the locks cannot be written.
    """
    waited_for: set[str] = set()
    with ExitStack() as held:
        for name in sorted(set(names)):
            held.enter_context(_one_locked(folder, name, waited_for, progress))
        yield


@contextmanager
def _one_locked(
    folder: Path, name: str, waited_for: set[str], progress: Progress
) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock, note = FileLock(folder / f"{name}.lock"), folder / f"{name}.holder"
    with told_as_write_error(note):
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(Timeout):  # an OSError too, but nothing was to be written
            lock.acquire(timeout=0)
    if not lock.is_locked:
        holder = _read(note)
        if holder not in waited_for:
            waited_for.add(holder)
            progress.remark(
                f"{name}: {holder} works on it. Waiting until it has finished, for at most "
                f"{LONGEST_WAIT / 3600:g} hours."
            )
        try:
            lock.acquire(timeout=LONGEST_WAIT, poll_interval=POLL)
        except Timeout:
            raise StoreError(
                f"{name}: {_read(note)} has worked on it for {LONGEST_WAIT / 3600:g} hours. Wait "
                "for that process, or end it, and run again."
            ) from None
    try:
        with told_as_write_error(note):
            note.write_text(this_process(), encoding="utf-8")
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def _read(note: Path) -> str:
    try:
        return f"the process {note.read_text(encoding='utf-8')}"
    except OSError:  # it has just begun, or just ended
        return "another process"
