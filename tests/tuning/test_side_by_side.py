"""Trials side by side end, whatever machine is lost."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from competition.config.profile import load_profile
from competition.execution.engines import running_on
from competition.pipeline.context import open_context
from competition.tuning.side_by_side import search_side_by_side
from competition.tuning.study import complete, is_start, n_finished, open_study
from competition.tuning.targets import Tunable
from competition.utils.errors import TuningError
from tests.recorded import Recorded
from tests.tuning import made_machines
from tests.tuning.test_search import ROOT, tuned

pytest.importorskip("submitit", reason="the extra slurm is not installed")


def can_rename_machines() -> bool:
    """Whether a process may have a host name of its own."""
    if sys.platform != "linux":
        return False
    return subprocess.run(["unshare", "--uts", "true"], stderr=subprocess.DEVNULL).returncode == 0


pytestmark = pytest.mark.skipif(not can_rename_machines(), reason="only root can rename machines")


def test_study_ends_where_the_machine_of_the_first_trial_is_lost(
    shared_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress, profile = Recorded(), load_profile("text")
    context = open_context(shared_table, profile, tmp_path, n_jobs=1, progress=progress)
    shape = context.dataset.labels.shape
    monkeypatch.setenv(made_machines.FOLDER, str(tmp_path))
    monkeypatch.setenv("MADE_HOST", socket.gethostname())
    monkeypatch.setenv("MADE_SHAPE", f"{shape[0]} {shape[1]}")
    made = Tunable(
        *("made", made_machines.space, {"skill": 0.5}, "identity", made_machines.oof),
        made_machines.profile_with,
    )
    storage = f"journal:{tmp_path / 'studies.journal'}"
    study = open_study("made", storage)
    with running_on("slurm:local", tmp_path, context.dataset.root, 1, progress):
        search_side_by_side(study, storage, made, context, 3, float("inf"))
    assert (tmp_path / "lost").read_text().startswith("node-")
    states = [trial.state.name for trial in study.trials]
    assert n_finished(study) == 3
    assert states.count("FAIL") == 1
    assert "RUNNING" not in states
    (first,) = [trial for trial in complete(study) if is_start(trial)]
    assert first.params == {"skill": 0.5}


def test_machine_that_does_not_see_the_study_is_told(shared_table: Path, tmp_path: Path) -> None:
    context = open_context(shared_table, load_profile("text"), tmp_path, n_jobs=1)
    made = Tunable(
        *("made", made_machines.space, {"skill": 0.5}, "identity", made_machines.oof),
        made_machines.profile_with,
    )
    study, elsewhere = open_study("made", f"journal:{tmp_path}/a"), f"journal:{tmp_path}/b"
    with (
        running_on("slurm:local", tmp_path, context.dataset.root, 1, context.progress),
        pytest.raises(TuningError, match=rf"does not see the study in {elsewhere}: it must be"),
    ):
        search_side_by_side(study, elsewhere, made, context, 1, time.monotonic() + 60)


def test_study_of_a_command_whose_whole_machine_is_lost_ends_elsewhere(
    shared_table: Path, tmp_path: Path
) -> None:
    """Nobody knows what became of its first trial, which has no other machine's name for itself."""
    storage = f"journal:{tmp_path / 'studies.journal'}"
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from competition.utils.progress import Progress\n"
        "from tests.tuning.test_search import tuned\n"
        "class Lost(Progress):\n"
        "    def update(self, stage, done, total, last=''):\n"
        "        if 'trial 0: ' in last:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "tuned(Path(sys.argv[1]), Path(sys.argv[2]), 2, storage=sys.argv[3], progress=Lost())\n"
    )
    elsewhere = ["unshare", "--uts", "sh", "-c", 'hostname elsewhere; exec "$@"', "sh"]
    subprocess.run(
        [*elsewhere, sys.executable, "-c", code, shared_table, tmp_path / "a", storage],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    done = tuned(shared_table, tmp_path / "b", 2, storage=storage)
    assert done.start_score > 0
    (lost, *_) = open_study(done.study, storage).trials
    assert lost.user_attrs["process"].startswith("elsewhere:")
    assert (lost.state.name, done.complete + done.pruned) == ("RUNNING", 3)
