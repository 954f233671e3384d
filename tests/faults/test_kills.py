"""Processes that are killed, in real runs: nothing hangs, nothing lives on, no byte changes."""

import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.runs import QUICK, leftovers, predictions, started

SECONDS = 100  # a run that takes longer hangs
LIVE_ON = 5.0  # seconds that a worker may live on
FILMS = (
    *("--profile", "clips"),
    *("--set", "level1.frames.epochs=1"),
    *("--set", "level1.sound.epochs=1"),
    *("--set", "folds.n=2"),
    *("--set", "level2.model=mean"),
)

Proc = subprocess.Popen[str]


def group(run: Proc) -> list[int]:
    """Living processes of a run's group, itself first."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of_group = status.read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue
        if int(of_group) == run.pid and state != "Z":
            found.append(int(status.parent.name))
    return sorted(found, key=lambda one: (one != run.pid, one))


def workers(run: Proc) -> list[int]:
    """Processes of a run that work on tasks; not the one that counts joblib's resources."""
    found = []
    for one in group(run)[1:]:
        try:
            command = Path(f"/proc/{one}/cmdline").read_bytes()
        except OSError:
            continue
        if b"resource_tracker" not in command:
            found.append(one)
    return found


def kill_main(run: Proc) -> set[int]:
    run.kill()
    return {0, -signal.SIGKILL}  # 0: it was at its end, as below


def kill_worker(run: Proc) -> set[int]:
    found = workers(run)
    if found:
        with suppress(ProcessLookupError):
            os.kill(found[-1], signal.SIGKILL)
    return {0, 2}


def terminate(run: Proc) -> set[int]:
    run.terminate()
    return {0, 143, -signal.SIGTERM}  # the last before the command listens


def interrupt_twice(run: Proc) -> set[int]:
    for _ in range(2):
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGINT)  # as a terminal does
        time.sleep(0.05)
    return {0, 130, -signal.SIGINT}


WAYS = (kill_main, kill_worker, terminate, interrupt_twice)


def end_of(run: Proc) -> str:
    """Wait for a run and all its processes; return what it printed."""
    out, _ = run.communicate(timeout=SECONDS)
    deadline = time.monotonic() + LIVE_ON
    while group(run) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert group(run) == []
    return out


@pytest.fixture(scope="module")
def undisturbed(
    shared_table: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, bytes], float]:
    """Predictions of a run that nobody disturbs, and the seconds that it took."""
    out, start = tmp_path_factory.mktemp("undisturbed"), time.monotonic()
    run = started("run", "--data", shared_table, "--out", out, "--jobs", 2, *QUICK)
    printed = end_of(run)
    assert run.returncode == 0, printed
    return predictions(out), time.monotonic() - start


@pytest.fixture(scope="module")
def undisturbed_films(
    demo_films: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, bytes], float]:
    out, start = tmp_path_factory.mktemp("undisturbed"), time.monotonic()
    run = started("run", "--data", demo_films, "--out", out, "--jobs", 2, *FILMS)
    printed = end_of(run)
    assert run.returncode == 0, printed
    return predictions(out), time.monotonic() - start


def disturb(
    seed: int, data: Path, out: Path, settings: tuple[str, ...], seconds: float, n_kills: int
) -> int:
    """Kill a run at moments of a seed, then let it end; return the number of kills."""
    draw, kills = random.Random(seed), 0
    for number in range(n_kills):
        run = started("run", "--data", data, "--out", out, "--jobs", 2, *settings)
        way = WAYS[(seed + number) % len(WAYS)]
        time.sleep(draw.uniform(0.2, 0.9) * seconds)
        allowed = way(run)
        printed = end_of(run)
        kills += 1
        assert run.returncode in allowed, f"{way.__name__}: {run.returncode}\n{printed}"
        if run.returncode >= 0:  # else it had no time for a handler of its own
            assert "Traceback" not in printed, f"{way.__name__}\n{printed}"
    run = started("run", "--data", data, "--out", out, "--jobs", 2, *settings)
    printed = end_of(run)
    assert run.returncode == 0, printed
    return kills


@pytest.mark.parametrize("seed", range(4))
def test_killed_run_leaves_nothing_and_changes_no_byte(
    seed: int, shared_table: Path, tmp_path: Path, undisturbed: tuple[dict[str, bytes], float]
) -> None:
    expected, seconds = undisturbed
    disturb(seed, shared_table, tmp_path, QUICK, seconds, 1)
    assert predictions(tmp_path) == expected
    assert leftovers(tmp_path) == []


@pytest.mark.faults_long
@pytest.mark.parametrize("seed", range(6))
def test_run_of_a_table_that_is_killed_often_changes_no_byte(
    seed: int, shared_table: Path, tmp_path: Path, undisturbed: tuple[dict[str, bytes], float]
) -> None:
    expected, seconds = undisturbed
    assert disturb(seed, shared_table, tmp_path, QUICK, seconds, 5) == 5
    assert predictions(tmp_path) == expected
    assert leftovers(tmp_path) == []


@pytest.mark.faults_long
@pytest.mark.parametrize("seed", range(4))
def test_run_of_films_that_is_killed_often_changes_no_byte(
    seed: int, demo_films: Path, tmp_path: Path, undisturbed_films: tuple[dict[str, bytes], float]
) -> None:
    expected, seconds = undisturbed_films
    assert disturb(seed, demo_films, tmp_path, FILMS, seconds, 5) == 5
    assert predictions(tmp_path) == expected
    assert leftovers(tmp_path) == []
