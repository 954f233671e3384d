"""Large predictions lie in a file that goes with the array."""

import gc
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from competition.pipeline.joined import room


def test_a_small_array_is_held_in_memory(tmp_path: Path) -> None:
    held = room((4, 2, 3), tmp_path)
    assert not isinstance(held, np.memmap)
    assert not list(tmp_path.iterdir())


def test_a_large_array_lies_in_a_file_until_its_last_part_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("competition.pipeline.joined.LARGE", 50)
    held = room((4, 2, 3), tmp_path)
    held[:, 0], held[:, 1] = 0.25, 0.5
    (file,) = tmp_path.iterdir()
    assert file.stat().st_size == 4 * 2 * 3 * 4
    part = held[2:]
    del held
    gc.collect()
    assert file.is_file()
    np.testing.assert_array_equal(part.mean(axis=(0, 2)), [0.25, 0.5])
    del part
    gc.collect()
    assert not file.exists()


def test_a_file_that_a_killed_run_left_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("competition.pipeline.joined.LARGE", 50)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    host = socket.gethostname()
    gone = [
        tmp_path / f".stacked.{host}.{ended.pid}.abc.tmp",
        tmp_path / f".stacked.{host}.{os.getpid()}.abc.tmp",  # the number came back
    ]
    of_a_living_run = tmp_path / f".stacked.{host}.{os.getppid()}.abc.tmp"
    of_another_machine = tmp_path / f".stacked.another.{host}.{ended.pid}.abc.tmp"
    for path in (*gone, of_a_living_run, of_another_machine):
        path.write_bytes(b"1")
    first, second = room((4, 2, 3), tmp_path), room((4, 2, 3), tmp_path)
    left = set(tmp_path.iterdir())
    assert {of_a_living_run, of_another_machine} < left
    assert left.isdisjoint(gone)
    assert len(left) == 4  # those two, and one for each array that is in use
    assert first.shape == second.shape
