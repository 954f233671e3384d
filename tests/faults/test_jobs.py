"""Runs as jobs of submitit's local executor, some of which are lost or pre-empted."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

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
    until = time.monotonic() + 30
    while lives(job) and time.monotonic() < until:
        time.sleep(0.1)
    assert not lives(job)
    assert not (out / ".jobs").exists()
    done = ended(started(*run_of(shared_table, fits, out), "--jobs", "2", "--on", "slurm:local"))
    assert done.status == 0, done.out


def test_a_failing_model_is_told_as_it_is_here(shared_table: Path, tmp_path: Path) -> None:
    fits = Fits(tmp_path)
    fits.log.rmdir()  # where it would say that it begins
    run = run_of(shared_table, fits, tmp_path / "out")
    done = ended(started(*run, "--jobs", "2", "--on", "slurm:local"))
    assert done.status == 2
    assert "Error: Model waits failed in fold" in done.out
    assert "Traceback" not in done.out
