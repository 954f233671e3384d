"""Runs on a real Ray cluster whose workers, nodes, head, driver, disks and clocks fail."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.calling import Called, call
from tests.faults.clusters import Cluster, Fits, cluster_of
from tests.faults.runs import ROOT, assert_one_sentence, predictions

pytest.importorskip("ray", reason="the extra cluster is not installed")
pytestmark = pytest.mark.slow

LATE = """
import time

now, now_ns = time.time, time.time_ns
time.time = lambda: now() + 3600
time.time_ns = lambda: now_ns() + 3600 * 10**9
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two nodes, a (the head) and b."""
    with cluster_of("a", "b") as running:
        yield running


@pytest.fixture(scope="module")
def ads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.conftest import write_table

    return write_table(tmp_path_factory.mktemp("cluster") / "films")


@pytest.fixture(scope="module")
def expected(ads: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the run leaves where this machine alone runs it."""
    folder = tmp_path_factory.mktemp("here")
    fits = Fits(folder)
    alone = (sys.executable, "-m", "competition", *map(str, run_of(ads, fits, folder / "out")))
    subprocess.run([*alone, "--jobs", "1"], cwd=ROOT, check=True, capture_output=True)
    return predicted(folder / "out")


@pytest.fixture
def fits(tmp_path: Path) -> Fits:
    return Fits(tmp_path)


def predicted(out: Path) -> dict[str, bytes]:
    """Bytes of all predictions; the folder that `waits` logs to is its parameter, and in cards."""
    return {name: data for name, data in predictions(out).items() if "card" not in name}


def run_of(ads: Path, fits: Fits, out: Path) -> tuple[object, ...]:
    return "run", "--data", ads, "--profile", fits.profile, "--out", out


def started(
    cluster: Cluster, *arguments: object, path: Path = ROOT, cwd: Path = ROOT, **env: str
) -> subprocess.Popen[str]:
    """Start a command that joins the cluster."""
    return subprocess.Popen(
        [sys.executable, "-m", "competition", *map(str, arguments), "--on", "ray"],
        cwd=cwd,
        env={**cluster.env, "PYTHONPATH": f"{path}:{ROOT}", **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str], seconds: float = 240) -> Called:
    out, err = process.communicate(timeout=seconds)
    return Called(process.returncode, out, err)


def assert_whole(out: Path, expected: dict[str, bytes], done: Called) -> None:
    """Check that a run ended as one that nothing has disturbed."""
    assert done.status == 0, done.out + done.err
    assert predicted(out) == expected
    ledger = pd.read_csv(out / "submissions" / "ledger.csv")
    assert len(ledger) == 1
    assert done.out.count("│ waits ") == 1
    assert not (out / ".jobs").exists()
    assert not list(out.rglob("*.tmp"))


def test_a_killed_worker_costs_its_fold_alone(
    cluster: Cluster, ads: Path, fits: Fits, expected: dict[str, bytes], tmp_path: Path
) -> None:
    run = started(cluster, *run_of(ads, fits, tmp_path / "out"))
    os.kill(fits.wait("b"), signal.SIGKILL)
    assert_whole(tmp_path / "out", expected, ended(run))
    assert len(fits.begun()) == 5  # four folds, one of them twice
    assert {node for _, node in fits.begun()} == {"a", "b"}


def test_a_node_leaves_and_comes_back(
    cluster: Cluster, ads: Path, fits: Fits, expected: dict[str, bytes], tmp_path: Path
) -> None:
    run = started(cluster, *run_of(ads, fits, tmp_path / "out"))
    fits.wait("b")
    cluster.kill("b")
    cluster.start("b")
    done = ended(run)
    assert_whole(tmp_path / "out", expected, done)
    assert "the node b has gone; its tasks run on the others" in " ".join(done.out.split())
    assert "raylet" not in done.out


def test_a_killed_driver_goes_on_with_what_is_stored(
    cluster: Cluster, ads: Path, fits: Fits, expected: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run = started(cluster, *run_of(ads, fits, out))
    until = time.monotonic() + 90
    while not list(out.glob("oof/films/waits/fold_*.parquet")) and time.monotonic() < until:
        time.sleep(0.05)
    stored = {path.name for path in out.glob("oof/films/waits/fold_*.parquet")}
    assert stored
    run.kill()
    ended(run)
    n_begun = len(fits.begun())
    done = ended(started(cluster, *run_of(ads, fits, out)))
    assert done.status == 0, done.err
    assert predicted(out) == expected
    assert len(fits.begun()) - n_begun <= 4 - len(stored)  # what was stored is not fitted again


def test_a_full_disk_on_one_node_sends_its_tasks_to_another(
    ads: Path, fits: Fits, expected: dict[str, bytes], tmp_path: Path
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full on this machine")
    with cluster_of("a", "b", b={"SCRATCH": "/dev/full"}) as cluster:
        done = ended(started(cluster, *run_of(ads, fits, tmp_path / "out")))
    assert_whole(tmp_path / "out", expected, done)
    assert "No space left on device" in done.out
    assert "Its task goes to another node" in done.out
    assert {node for _, node in fits.begun()} == {"a", "b"}


def test_clocks_that_differ_by_an_hour_change_nothing(
    ads: Path, fits: Fits, expected: dict[str, bytes], tmp_path: Path
) -> None:
    clock = tmp_path / "clock"
    clock.mkdir()
    (clock / "sitecustomize.py").write_text(LATE, encoding="utf-8")
    late = {"PYTHONPATH": str(clock)}
    with cluster_of("a", "b", b=late) as cluster:
        done = ended(started(cluster, *run_of(ads, fits, tmp_path / "out")))
    assert_whole(tmp_path / "out", expected, done)
    times = [(int(path.name.split(".")[0]), path.name[-1]) for path in fits.log.iterdir()]
    assert (
        max(at for at, node in times if node == "b") - max(at for at, node in times if node == "a")
        > 1800 * 10**9
    )  # it did differ


def test_a_lost_head_is_told_within_a_minute(ads: Path, fits: Fits, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with cluster_of("a", "b") as cluster:
        run = started(cluster, *run_of(ads, fits, out))
        fits.wait()
        cluster.kill("a")
        lost = time.monotonic()
        done = ended(run)
        assert time.monotonic() - lost < 60
    assert_one_sentence(done)
    assert "has not answered for 30 s" in done.err
    assert not list(out.rglob("*.tmp"))


def test_a_cluster_of_another_version_is_told(cluster: Cluster, ads: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    older = tmp_path / "sitecustomize.py"
    older.write_text("import ray\nray.__version__ = '2.1.0'\n", encoding="utf-8")
    done = ended(started(cluster, "run", "--data", ads, "--out", out, path=tmp_path), 60)
    assert_one_sentence(done)
    assert "cannot be joined" in done.err
    assert "2.1.0" in done.err
    assert not out.exists()


def test_a_node_without_the_package_is_told(ads: Path, tmp_path: Path) -> None:
    bare = {"PYTHONPATH": ""}
    alone = subprocess.run(
        [sys.executable, "-c", "import competition"],
        cwd=tmp_path,
        env={**os.environ, **bare},
        capture_output=True,
        check=False,
    )
    if alone.returncode == 0:
        pytest.skip("the package is installed, so every node has it")
    command = "run", "--data", ads, "--out", tmp_path / "out", "--profile", "text"
    with cluster_of("a", a=bare) as cluster:  # it is in the checkout alone, where Ray is not
        done = ended(started(cluster, *command, cwd=tmp_path))
    assert_one_sentence(done)
    assert "cannot load it (No module named 'competition'). Install this package there" in done.err


def test_without_its_token_nobody_joins(cluster: Cluster, ads: Path, tmp_path: Path) -> None:
    command = "run", "--data", ads, "--out", tmp_path / "out"
    done = ended(started(cluster, *command, RAY_AUTH_TOKEN="0" * 64), 90)
    assert_one_sentence(done)
    assert "RAY_AUTH_TOKEN" in done.err


@pytest.mark.parametrize("storage", [(), ("--storage", "journal:mine.journal")])
def test_trials_run_side_by_side(
    cluster: Cluster, ads: Path, tmp_path: Path, storage: tuple[str, ...]
) -> None:
    """The cluster was started in another folder than the command."""
    run = started(
        cluster,
        *("tune", "tfidf_logreg", "--data", ads, "--out", "out", "--trials", 6),
        *("--set", "folds.n=3", *storage),
        cwd=tmp_path,
    )
    done = ended(run)
    assert done.status == 0, done.err
    (journal,) = tmp_path.rglob("*.journal")
    assert journal.name == ("mine.journal" if storage else "studies.journal")
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    backend = JournalFileBackend(str(journal))
    (study,) = (optuna.load_study(study_name=None, storage=JournalStorage(backend)),)
    trials = study.get_trials()
    assert len(trials) == 6
    assert len({tuple(trial.params.items()) for trial in trials}) == 6
    assert len({trial.user_attrs["process"] for trial in trials}) >= 2
    begun = sorted((trial.datetime_start, trial.datetime_complete) for trial in trials)
    assert any(later[0] < earlier[1] for earlier, later in pairwise(begun))


def test_features_are_extracted_by_processes_that_keep_their_network(
    cluster: Cluster, demo_films: Path, tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    command = ["run", "--data", demo_films, "--profile", "demo", "--set", "folds.n=2"]
    command += ["--set", 'models=["lightgbm", "frames", "sound"]', "--set", "level2.model=mean"]
    call(*command, "--out", here, "--jobs", 1)
    done = ended(started(cluster, *command, "--out", there))
    assert done.status == 0, done.err
    assert predictions(there) == predictions(here)
