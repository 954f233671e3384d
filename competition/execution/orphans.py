"""Jobs that go on though the command that waits for them is dead, and what it has left.

::

    <out>/.jobs/<host>-<process>-<random>.seen         marker of a command
    <out>/.jobs/<host>-<process>-<random>/jobs/        what submitit wrote for its jobs, if any
"""

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from competition.utils.processes import another_lives
from competition.utils.progress import Progress

ENDS_IN = 10.0  # seconds
SEEN = ".seen"


def end_orphans(jobs: Path, ours: set[str], progress: Progress) -> None:
    """End jobs of commands of this machine that are dead, and remove what these have left.

    Jobs that cannot be cancelled from here, where scancel is not at hand or fails, are left for
    the next command.

    Parameters
    ----------
    jobs : Path
        Folder of the markers.
    ours : set of str
        Names of the markers of this process, which may be several.
    progress : Progress
        Hears what has been ended.
    """
    for marker in sorted(jobs.glob(f"*{SEEN}")):
        host, _, rest = marker.stem.rpartition("-")[0].rpartition("-")
        if marker.stem in ours or another_lives(f"{host}:{rest}"):
            continue
        folder = marker.with_suffix("")
        n_ended = _end_here(folder) if folder.is_dir() else 0
        n_cancelled = _cancel(folder)
        if n_cancelled is None:
            progress.remark(f"Jobs of {marker.stem}, which is dead, could not be cancelled.")
            continue
        if n_ended or n_cancelled:
            progress.remark(f"Ended the jobs that {marker.stem}, which is dead, has left.")
        shutil.rmtree(folder, ignore_errors=True)
        marker.unlink(missing_ok=True)


def _cancel(folder: Path) -> int | None:
    """Cancel jobs, or arrays of them, that Slurm has; return how many, None where that fails."""
    numbers = [path.name.split("_")[0] for path in folder.glob("jobs/[0-9]*_submission.sh")]
    if not numbers:
        return 0
    try:
        subprocess.run(["scancel", *numbers], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return len(numbers)


def _end_here(folder: Path) -> int:
    """End processes of this machine that work on jobs in a folder; return how many there were."""
    ended = _working_in(folder)
    until = time.monotonic() + ENDS_IN
    living = ended
    while living and time.monotonic() < until:
        for process in living:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.1)
        living = _working_in(folder)
    return len(ended)


def _working_in(folder: Path) -> list[int]:
    """Processes of submitit, which are called with the folder: a number alone may be another's."""
    wanted = f"{folder.name}/jobs"
    if Path("/proc/self/cmdline").exists():
        calls = [(path.parent.name, path) for path in Path("/proc").glob("[0-9]*/cmdline")]
        said = [(number, _arguments(path)) for number, path in calls]
    else:
        command = ["ps", "-A", "-ww", "-o", "pid=,args="]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = (line.split(maxsplit=1) for line in done.stdout.splitlines())
        said = [(number, rest) for number, *others in lines for rest in others]
    return [int(number) for number, call in said if wanted in call and "submitit." in call]


def _arguments(path: Path) -> str:
    try:
        return path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:  # it has ended
        return ""
