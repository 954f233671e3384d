"""Locks between real processes."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from competition.utils import locks
from competition.utils.errors import StoreError
from competition.utils.locks import locked
from tests.recorded import Recorded

HOLDER = """
import sys, time
from pathlib import Path
from competition.utils.locks import locked
from competition.utils.progress import Progress
with locked(Path(sys.argv[1]), ["b", "a"], Progress()):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def hold(folder: Path, seconds: float) -> subprocess.Popen[str]:
    """Start a process that holds the locks a and b, and wait until it does."""
    command = [sys.executable, "-c", HOLDER, str(folder), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_waits_for_the_holder_and_names_it_once(tmp_path: Path) -> None:
    process, said = hold(tmp_path, 0.5), Recorded()
    with locked(tmp_path, ["a", "b", "c"], said):
        assert process.wait(5) == 0
    (remark,) = said.remarks
    assert remark.startswith("a: the process ")
    assert f":{process.pid} works on it. Waiting" in remark


def test_lock_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    process, said = hold(tmp_path, 60), Recorded()
    process.kill()
    process.wait()
    start = time.monotonic()
    with locked(tmp_path, ["a"], said):
        assert time.monotonic() - start < 0.5
    assert said.remarks == []


def test_holder_that_never_ends_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "LONGEST_WAIT", 0.36)
    process = hold(tmp_path, 60)
    try:
        with (
            pytest.raises(StoreError, match=f":{process.pid} has worked on it for 0.0001 hours"),
            locked(tmp_path, ["a"], Recorded()),
        ):
            pass
    finally:
        process.kill()
        process.wait()


def test_lock_of_another_name_is_not_waited_for(tmp_path: Path) -> None:
    process, said = hold(tmp_path, 60), Recorded()
    with locked(tmp_path, ["c"], said):
        assert process.poll() is None
    assert said.remarks == []
    process.kill()
    process.wait()
