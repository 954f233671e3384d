"""Where tasks run, and what is said where they cannot."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from competition.execution import engines, local, ray_joining
from competition.execution.engines import elsewhere, run_tasks, running_on, tasks_at_once
from competition.execution.needs import GIB, Need
from competition.execution.ray_cluster import RayEngine
from competition.execution.sites import Site, guarded
from competition.execution.slurm import SlurmEngine
from competition.utils.errors import ModelError, ProcessError, WriteError
from competition.utils.files import told_as_write_error
from competition.utils.progress import Progress
from tests.cli.calling import Called, called
from tests.faults.runs import assert_one_sentence

pytest.importorskip("ray", reason="the extra cluster is not installed")
pytest.importorskip("submitit", reason="the extra slurm is not installed")


def square(number: int) -> int:
    return number * number


def add(first: list[int], number: int) -> int:
    first.append(number)
    return len(first)


def refuse(number: int) -> int:
    raise ModelError(f"task {number} cannot be done")


def fail(number: int) -> int:
    raise KeyError(number)


def end() -> None:
    os._exit(3)


def cannot_be_loaded() -> None:
    raise AttributeError("another version has no such class")


class Unloadable:
    """What another version cannot unpickle."""

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return cannot_be_loaded, ()


NEEDS = [Need("small")] * 4


def test_here_is_the_default() -> None:
    assert elsewhere() is None
    assert tasks_at_once(3) == 3
    assert sorted(run_tasks(square, [(n,) for n in range(4)], NEEDS, n_jobs=1)) == [0, 1, 4, 9]


def test_what_is_shared_is_the_first_argument_of_every_call() -> None:
    found = list(run_tasks(add, [(1,), (2,), (3,)], NEEDS[:3], n_jobs=1, shared=[]))
    assert found == [1, 2, 3]


@pytest.mark.parametrize("name", ["kubernetes", "Ray", ""])
def test_unknown_engine_is_refused_with_the_known_ones(name: str, shared_table: Path) -> None:
    done = called("run", "--data", shared_table, "--on", name)
    assert_one_sentence(done)
    assert "Choose one of local, ray, slurm, slurm:local." in done.err


def test_slurm_without_sbatch_is_refused(
    shared_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    done = called("stack", "--data", shared_table, "--out", tmp_path, "--on", "slurm")
    assert_one_sentence(done)
    assert "--on slurm needs sbatch" in done.err
    assert not any(tmp_path.iterdir())


def test_jobs_that_sbatch_refuses_are_told(
    shared_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("sbatch", "srun"):
        command = tmp_path / "bin" / name
        command.parent.mkdir(exist_ok=True)
        command.write_text("#!/bin/sh\necho 'sbatch: error: invalid account' >&2\nexit 1\n")
        command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    out = tmp_path / "out"
    done = called("run", "--data", shared_table, "--out", out, "--on", "slurm")
    assert done.status == 2
    assert "sbatch takes no job" in done.err
    assert "invalid account" in done.err
    assert "Traceback" not in done.err
    assert not (out / ".jobs").exists()


@pytest.mark.parametrize(("task", "told"), [(fail, "KeyError"), (refuse, "cannot be done")])
def test_job_whose_task_raises_is_told_at_once(
    task: Callable[[int], int], told: str, tmp_path: Path
) -> None:
    with (
        running_on("slurm:local", tmp_path, None, 1, Progress()),
        pytest.raises((ProcessError, ModelError), match=told),
    ):
        list(run_tasks(task, [(2,)], NEEDS[:1], n_jobs=1))


def test_engine_that_is_not_installed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "lacking", lambda libraries: "it is not there")
    with (
        pytest.raises(ProcessError, match=r"--on ray cannot run: ray is not installed: pip"),
        running_on("ray", tmp_path, None, 1, Progress()),
    ):
        pass


# Ray that cannot be joined


@pytest.fixture
def silent() -> Iterator[str]:
    """Address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = []

        def take() -> None:
            while True:
                try:
                    taken.append(server.accept())
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1:9", "Nothing answers at RAY_ADDRESS=127.0.0.1:9"),
        ("ray://head:10001", "is an address of Ray's client"),
        ("head", "is no address: HOST:PORT or auto is expected"),
        ("head:six", "is no address: HOST:PORT or auto is expected"),
    ],
)
def test_address_where_no_cluster_is(
    address: str,
    reason: str,
    shared_table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    done = called("run", "--data", shared_table, "--out", tmp_path / "out", "--on", "ray")
    assert_one_sentence(done)
    assert reason in done.err
    assert not (tmp_path / "out").exists()


def test_any_cluster_of_this_machine_where_none_is(
    shared_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray._private.services import find_gcs_addresses

    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))  # where no cluster has left its address
    if find_gcs_addresses():
        pytest.skip("another Ray runs on this machine")
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    done = called("run", "--data", shared_table, "--out", tmp_path / "out", "--on", "ray")
    assert_one_sentence(done)
    assert "No Ray runs on this machine, where RAY_ADDRESS=auto looks for one. Start" in done.err
    assert not (tmp_path / "out").exists()


REFUSED = {
    "cannot be written": ("run",),
    "Machines cannot share a database of SQLite": (
        *("tune", "tfidf_logreg", "--storage", "sqlite:///studies.sqlite"),
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_refused_is_so_before_ray_is_asked(
    reason: str, shared_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing answers at this address, which would be told if Ray came first."""
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    if "written" in reason:
        (tmp_path / ".jobs").touch()  # a file where a folder is needed
    there = set(tmp_path.iterdir())
    done = called(*REFUSED[reason], "--data", shared_table, "--out", tmp_path, "--on", "ray")
    assert_one_sentence(done)
    assert reason in done.err
    assert set(tmp_path.iterdir()) == there


def test_cluster_that_stalls_is_told_in_time(
    silent: str, shared_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", silent)
    monkeypatch.setattr(ray_joining, "ANSWERS_IN", 5.0)
    done = called("run", "--data", shared_table, "--out", tmp_path / "out", "--on", "ray")
    assert_one_sentence(done)
    assert "takes the connection but has not answered within 5 s" in done.err


# Ray that is started here


@pytest.mark.slow
def test_ray_that_is_started_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    heard: list[str] = []

    class Heard(Progress):
        def remark(self, text: str) -> None:
            heard.append(text)

    with running_on("ray", tmp_path, None, 2, Heard()):
        with pytest.raises(ProcessError, match="uses Ray already"):
            RayEngine(tmp_path, None, 2, Progress())
        assert tasks_at_once(1) == 2
        assert "started on this machine: 1 node(s), 2 core(s)" in heard[0]
        found = run_tasks(square, [(n,) for n in range(30)], [Need("small")] * 30, n_jobs=1)
        assert sorted(found) == [n * n for n in range(30)]
        tasks = [(n,) for n in range(8)]
        counts = list(run_tasks(add, tasks, [Need("adds")] * 8, n_jobs=1, shared=[]))
        assert len(counts) == 8
        assert max(counts) >= 4  # two processes, each with a list that it keeps
        with pytest.raises(ModelError, match="task 2 cannot be done"):
            list(run_tasks(refuse, [(2,)], NEEDS[:1], n_jobs=1))
        with pytest.raises(KeyError):
            list(run_tasks(fail, [(2,)], NEEDS[:1], n_jobs=1))
        need = Need("ends", task="Model ends, fold 2")
        with pytest.raises(ProcessError, match="Model ends, fold 2: its process was lost 4 times"):
            list(run_tasks(end, [()], [need], n_jobs=1))
        engine = elsewhere()
        assert isinstance(engine, RayEngine)
        engine.site = replace(engine.site, code="other")
        for shared in (None, Unloadable()):
            with pytest.raises(ProcessError, match="has another version of this package"):
                list(run_tasks(square, [(Unloadable(),)], NEEDS[:1], n_jobs=1, shared=shared))
        large = [Need("large", memory=10**6 * GIB)]
        with pytest.raises(ProcessError, match=r"large\) needs 1 core\(s\) and 1000000.0 GiB"):
            list(run_tasks(square, [(1,)], large, n_jobs=1))
    assert elsewhere() is None
    assert not (tmp_path / ".jobs").exists()


SLEEPER = """
import os
import time
from pathlib import Path

import numpy as np

from competition import Level1Model, level1_model


@level1_model("sleeper", kinds=("text",))
class Sleeper(Level1Model):
    'Begins to learn, and does not end.'

    def _fit(self, X, Y):
        Path("BEGUN").touch()
        if os.environ.get("ENDS"):
            os.kill(os.getpid(), 9)
        time.sleep(120)

    def _predict_proba(self, X):
        return np.zeros((len(X), 1))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_run_on_ray_is_stopped_in_order(
    shared_table: Path, tmp_path: Path, number: int, status: int
) -> None:
    """Ray makes another status of what ends it while it waits for tasks."""
    process = sleeping(shared_table, tmp_path)
    until(lambda: (tmp_path / "begun").exists(), process)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == status
    assert said.strip().endswith("Stopped. The same command goes on where this one was.")
    assert not (tmp_path / "out" / ".jobs").exists()


def sleeping(ads: Path, folder: Path, **env: str) -> subprocess.Popen[str]:
    """Start a run on Ray whose model writes ``begun`` in a folder, and does not end."""
    plugin = folder / "sleeper.py"
    plugin.write_text(SLEEPER.replace("BEGUN", str(folder / "begun")), encoding="utf-8")
    command = [sys.executable, "-m", "competition", "run", "--data", str(ads)]
    command += ["--profile", "text", "--out", str(folder / "out"), "--on", "ray", "--jobs", "1"]
    for override in (f"plugins=['{plugin}']", "models=['sleeper']", "folds.n=2"):
        command += ["--set", override]
    inherited = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**inherited, **env},
        # A shell that runs these tests in the background has it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def until(there: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 120) -> None:
    """Wait for something that a process does."""
    deadline = time.monotonic() + seconds
    while not there() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert there()


@pytest.mark.slow
def test_run_is_stopped_in_order_while_ray_starts(shared_table: Path, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="ray") as short:  # sockets lie below it
        process = sleeping(shared_table, tmp_path, RAY_TMPDIR=short)
        until(lambda: bool([*Path(short).glob("ray/session_*")]), process)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == ("", "Stopped. The same command goes on where this one was.\n")
    assert not (tmp_path / "out").exists()


def test_interruption_waits_until_ray_has_started() -> None:
    """In the midst of its start, Ray has ended the process by signal 11."""
    has_started = False
    # Tests that a shell runs in the background ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), ray_joining.handlers_kept():
            signal.signal(signal.SIGTERM, lambda *_: None)  # as Ray does
            signal.raise_signal(signal.SIGINT)
            has_started = True
    finally:
        signal.signal(signal.SIGINT, before)
    assert has_started
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.slow
def test_model_whose_process_is_lost_each_time_is_named(shared_table: Path, tmp_path: Path) -> None:
    process = sleeping(shared_table, tmp_path, ENDS="1")
    out, err = process.communicate(timeout=240)
    assert_one_sentence(Called(process.returncode, out, err))
    assert re.search(r"Model sleeper, fold [01]: its process was lost 4 times, as it is", err)
    assert "raylet" not in out + err


def test_ray_that_does_not_start_in_time_is_told(
    shared_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray_joining, "ANSWERS_IN", 0.5)
    done = called("run", "--data", shared_table, "--out", tmp_path / "out", "--on", "ray")
    assert_one_sentence(done)
    assert "Ray has not started on this machine within" in done.err
    assert not (tmp_path / "out").exists()


# What must be the same everywhere


def test_machine_with_other_code_is_told(tmp_path: Path) -> None:
    site = Site.of(tmp_path)
    assert guarded(site, square, (3,)).result == 9
    other = guarded(replace(site, code="other"), square, (3,))
    assert "has another version of this package" in str(other.error)


def test_job_compares_versions_before_it_loads_its_task(tmp_path: Path) -> None:
    with running_on("slurm:local", tmp_path, None, 1, Progress()):
        engine = elsewhere()
        assert isinstance(engine, SlurmEngine)
        engine.site = replace(engine.site, versions=(("numpy", "1.0"),))
        with pytest.raises(ProcessError, match=r"^\S+ has numpy .* results has 1\.0: install"):
            list(run_tasks(square, [(Unloadable(),)], NEEDS[:1], n_jobs=1))


def test_machine_with_other_libraries_is_told(tmp_path: Path) -> None:
    site = replace(Site.of(tmp_path), versions=(("numpy", "1.0"),))
    assert "the machine that waits for the results has 1.0" in str(
        guarded(site, square, (3,)).error
    )


def test_machine_that_does_not_see_the_results_is_told(tmp_path: Path) -> None:
    site = replace(Site.of(tmp_path), marker=tmp_path / "elsewhere" / ".jobs" / "x")
    told = str(guarded(site, square, (3,)).error)
    assert f"does not see {tmp_path / 'elsewhere'}, where results go" in told


def test_machine_that_does_not_see_the_ads_is_told(tmp_path: Path) -> None:
    ads = tmp_path / "ads"
    ads.mkdir()
    site = Site.of(tmp_path / "out", ads)
    assert guarded(site, square, (3,)).result == 9
    lacking = replace(site, data=tmp_path / "not mounted")
    told = str(guarded(lacking, square, (3,)).error)
    assert f"does not see {tmp_path / 'not mounted'}, where the ads lie" in told


def test_ray_that_cannot_write_its_marker_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    (tmp_path / "out").write_text("a file")
    with (
        pytest.raises(WriteError),
        running_on("ray", tmp_path / "out", None, 1, Progress()),
    ):
        pass
    assert not ray.is_initialized()


def fill(path: Path) -> None:
    with told_as_write_error(path):
        path.write_bytes(b"0")


def fill_elsewhere(path: Path) -> None:
    """Fill a disk in another process, from which the error comes through a pipe."""
    list(local.run_tasks(fill, [(path,), (path,)], n_jobs=2))


@pytest.mark.parametrize("function", [fill, fill_elsewhere])
def test_full_disk_is_known_from_whatever_process(
    function: Callable[[Path], None], tmp_path: Path
) -> None:
    full = guarded(Site.of(tmp_path), function, (Path("/dev/full"),)).full
    assert full.startswith("/dev/full cannot be written: the disk is full")
    assert full.endswith("by --out.")


def test_full_disk_is_told_in_each_sentence_once(tmp_path: Path) -> None:
    with (
        running_on("slurm:local", tmp_path, None, 1, Progress()),
        pytest.raises(ProcessError, match="was lost 4 times: /dev/full cannot be") as told,
    ):
        list(run_tasks(fill, [(Path("/dev/full"),)], NEEDS[:1], n_jobs=1))
    assert str(told.value).count("the same command goes on") == 1
    assert ".." not in str(told.value)


def test_two_commands_may_use_one_folder(tmp_path: Path) -> None:
    first, second = Site.of(tmp_path), Site.of(tmp_path)
    first.remove()
    second.check()
    second.remove()
    assert not any(tmp_path.iterdir())
