"""What must be the same wherever a task runs: code, libraries, the folder of the results."""

import errno
import os
import secrets
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import competition
from competition.execution.devices import one_thread
from competition.execution.orphans import SEEN, end_orphans
from competition.utils.errors import CompetitionError, ProcessError, system_numbers
from competition.utils.extras import CUTTERS
from competition.utils.files import GOES_ON, digest, write_text
from competition.utils.progress import Progress
from competition.utils.versions import installed

LIBRARIES = (
    *("numpy", "scipy", "pandas", "scikit-learn", "lightgbm", "xgboost", "xgboost-cpu", "torch"),
    *("transformers", "onnxruntime", "av", "pillow", *CUTTERS),
)
JOBS = ".jobs"  # folder, below that of the results, of what tasks elsewhere need while they run
_ours: set[str] = set()  # markers that this process has written
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def _folder() -> Path:
    return Path(competition.__file__).parent


@cache
def _code() -> str:
    folder = _folder()
    files = sorted(folder.rglob("*.py"))
    return digest([[str(file.relative_to(folder)), digest(file.read_bytes())] for file in files])


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return (("Python", python), *installed(*LIBRARIES).items())


@dataclass(frozen=True)
class Site:
    """What a task must find where it runs.

    Attributes
    ----------
    marker : Path
        A file in the folder of the results.
    content : str
        What stands there.
    data : Path or None
        Folder of the ads, where they lie in one.
    made : tuple of Path
        Folders above the marker's that were not there before, the deepest first.
    code : str
        Digest of this package's files.
    versions : tuple of (str, str)
        Of Python and of the libraries that numbers come from.
    """

    marker: Path
    content: str
    data: Path | None = None
    made: tuple[Path, ...] = ()
    code: str = field(default_factory=_code)
    versions: tuple[tuple[str, str], ...] = field(default_factory=_versions)

    @classmethod
    def of(cls, out: Path, data: Path | None = None, progress: Progress | None = None) -> "Site":
        """Describe this machine and the folders of results, where a marker is written, and ads.

        Jobs that commands of this machine have left there, as they were killed, are ended.
        """
        content = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        marker = out / JOBS / f"{content}{SEEN}"
        _ours.add(content)
        made = tuple(one for one in (out, *out.parents) if not one.exists())
        end_orphans(marker.parent, _ours, progress or Progress())
        write_text(marker, content)
        seen = data if data is not None and data.is_dir() else None
        return cls(marker, content, seen, made)

    def remove(self) -> None:
        """Remove the marker, and the folders that were made for it and hold nothing else."""
        self.marker.unlink(missing_ok=True)
        with suppress(OSError):  # another command works there, or results lie there
            for folder in (self.marker.parent, *self.made):
                folder.rmdir()

    def check(self) -> None:
        """Raise a ProcessError, in one sentence, if this process runs in another place."""
        host = socket.gethostname()
        if self.code != _code():
            raise ProcessError(
                f"{host} has another version of this package in {_folder()}: install the same one "
                "on all machines."
            )
        here = dict(_versions())
        for name, version in self.versions:
            if here.get(name) != version:
                raise ProcessError(
                    f"{host} has {name} {here.get(name, '(none)')}, the machine that waits for the "
                    f"results has {version}: install the same on all, or the numbers differ."
                )
        try:
            found = self.marker.read_text(encoding="utf-8")
        except OSError:
            found = ""
        if found != self.content:
            raise ProcessError(
                f"{host} does not see {self.marker.parent.parent}, where results go: --out must "
                "be a folder that all machines share, under the same path."
            )
        if self.data is not None and not self.data.is_dir():
            raise ProcessError(
                f"{host} does not see {self.data}, where the ads lie: it must be a folder that all "
                "machines share, under the same path."
            )


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of a task: its result, or what is wrong with it or with the machine's disk."""

    result: Any = None
    error: CompetitionError | None = None
    full: str = ""  # why nothing could be written, where a disk is full
    host: str = ""
    node: str = ""  # what the engine calls the machine


def guarded(site: Site, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Outcome:
    """Call a function on another machine, as this one would: with one thread, errors returned."""
    host = socket.gethostname()
    try:
        _checked(site)
        with one_thread(()):
            return Outcome(function(*arguments))
    except (CompetitionError, OSError) as bad:
        if _is_full(bad):
            return Outcome(full=str(bad).removesuffix(GOES_ON).strip(), host=host)
        if isinstance(bad, CompetitionError):
            return Outcome(error=bad)
        raise


@cache
def _checked(site: Site) -> None:  # once a process
    site.check()


def _is_full(bad: BaseException) -> bool:
    return not FULL.isdisjoint(system_numbers(bad))
