"""Runs as jobs of submitit's local executor, some of which are lost or pre-empted."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from competition.execution.engines import running_on
from competition.execution.sites import Site
from competition.utils.progress import Progress
from tests.cli.calling import Called
from tests.faults.clusters import Fits
from tests.faults.runs import predictions, started

pytest.importorskip("submitit", reason="the extra slurm is not installed")
pytestmark = pytest.mark.slow


def run_of(ads: Path, fits: Fits, out: Path) -> tuple[object, ...]:
    few = "--set", 'models=["waits"]', "--set", "level2.model=mean"
    return "run", "--data", ads, "--profile", fits.profile, "--out", out, *few


def lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def assert_gone(process: int) -> None:
    until = time.monotonic() + 30  # whoever has adopted it may take its time
    while lives(process) and time.monotonic() < until:
        time.sleep(0.1)
    assert not lives(process)


def ended(process: subprocess.Popen[str]) -> Called:
    out, err = process.communicate(timeout=400)
    return Called(process.returncode, out, err)


def predicted(out: Path) -> dict[str, bytes]:
    return {name: data for name, data in predictions(out).items() if "card" not in name}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGUSR2])
def test_a_job_that_is_lost_or_pre_empted_is_run_again(
    shared_table: Path, tmp_path: Path, how: signal.Signals
) -> None:
    fits, here, there = Fits(tmp_path), tmp_path / "here", tmp_path / "there"
    ended(started(*run_of(shared_table, fits, here), "--jobs", "1"))
    n_begun = len(fits.begun())
    run = started(*run_of(shared_table, fits, there), "--jobs", "2", "--on", "slurm:local")
    os.kill(fits.wait(more_than=n_begun), how)
    done = ended(run)
    assert done.status == 0, done.out
    assert predicted(there) == predicted(here)
    assert len(fits.begun()) == n_begun + 5  # four folds, one of them twice
    assert len(pd.read_csv(there / "submissions" / "ledger.csv")) == 1
    assert not (there / ".jobs").exists()
    assert not list(there.rglob("*.tmp"))


def test_a_command_that_is_ended_leaves_no_job(shared_table: Path, tmp_path: Path) -> None:
    fits, out = Fits(tmp_path), tmp_path / "out"
    run = started(*run_of(shared_table, fits, out), "--jobs", "2", "--on", "slurm:local")
    job = fits.wait()
    run.send_signal(signal.SIGTERM)
    assert ended(run).status == 143
    assert_gone(job)
    assert not (out / ".jobs").exists()
    done = ended(started(*run_of(shared_table, fits, out), "--jobs", "2", "--on", "slurm:local"))
    assert done.status == 0, done.out


def test_jobs_of_a_killed_command_are_ended_by_the_next(shared_table: Path, tmp_path: Path) -> None:
    fits, out = Fits(tmp_path, seconds=60.0), tmp_path / "out"
    run = started(*run_of(shared_table, fits, out), "--jobs", "1", "--on", "slurm:local")
    job = fits.wait()
    run.kill()
    run.wait()
    (left,) = (out / ".jobs").glob("*.seen")
    of_another = left.with_name("another-host-1-0123abcd.seen")
    of_another.write_text("it may live")
    assert lives(job)
    with running_on("slurm:local", out, None, 1, Progress()):
        assert_gone(job)
        assert not left.exists()
        assert not left.with_suffix("").exists()
    assert [*(out / ".jobs").iterdir()] == [of_another]


def test_arrays_of_a_dead_command_are_cancelled_once_scancel_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    left = tmp_path / ".jobs" / f"{socket.gethostname()}-{dead.pid}-0123abcd.seen"
    jobs = left.with_suffix("") / "jobs"
    jobs.mkdir(parents=True)
    left.touch()
    for name in ("17_submission.sh", "17_0_submitted.pkl", "17_1_submitted.pkl"):
        (jobs / name).touch()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    Site.of(tmp_path).remove()
    assert left.exists()
    scancel = tmp_path / "bin" / "scancel"
    scancel.parent.mkdir()
    scancel.write_text(f"#!/bin/sh\necho $* >> {tmp_path}/cancelled\n")
    scancel.chmod(0o755)
    Site.of(tmp_path).remove()
    assert (tmp_path / "cancelled").read_text() == "17\n"
    assert not (tmp_path / ".jobs").exists()


def test_a_failing_model_is_told_as_it_is_here(shared_table: Path, tmp_path: Path) -> None:
    fits = Fits(tmp_path)
    fits.log.rmdir()  # where it would say that it begins
    run = run_of(shared_table, fits, tmp_path / "out")
    done = ended(started(*run, "--jobs", "2", "--on", "slurm:local"))
    assert done.status == 2
    assert "Error: Model waits failed in fold" in done.out
    assert "Traceback" not in done.out
