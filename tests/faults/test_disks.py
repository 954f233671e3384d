"""A full disk, one that may only be read, a file in place of a folder: one sentence, status 2.

Disks are small file systems in memory, which only root may mount.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import competition
from competition.utils.errors import WriteError
from tests.cli.calling import called
from tests.faults.runs import QUICK, assert_one_sentence, leftovers, predictions, run_here

KIB = 1024
SIZES = [16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240]  # KiB
SHORT = [SIZES[0], SIZES[4], SIZES[8]]
ENOUGH = 64 * KIB
LONG = [
    pytest.param(size, marks=() if size in SHORT else pytest.mark.faults_long) for size in SIZES
]

Disk = Callable[..., Path]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Mount a disk of a size in KiB, or mount it again with other options."""
    where = tmp_path / "disk"

    def mount(size: int, *options: str) -> Path:
        again = ["remount"] if where.is_mount() else []
        where.mkdir(exist_ok=True)
        chosen = ",".join([*again, f"size={size}k", *options])
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", chosen, "tmpfs", where])
        if done.returncode:
            pytest.skip("no file system can be mounted here")
        return where

    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    yield mount
    if where.is_mount():
        subprocess.run(["umount", "--lazy", where], check=True)


@pytest.fixture(scope="module")
def undisturbed(shared_table: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("undisturbed")
    assert run_here(shared_table, out).status == 0
    return predictions(out)


@pytest.mark.parametrize("size", LONG)
def test_full_disk_is_one_sentence_and_the_run_goes_on_once_there_is_room(
    size: int, disk: Disk, shared_table: Path, undisturbed: dict[str, bytes]
) -> None:
    out = disk(size) / "out"
    done = run_here(shared_table, out)
    if done.status:
        assert_one_sentence(done)
        assert "cannot be written: " in done.err
        assert "disk is full" in done.err
        assert "bytes are free in" in done.err
    assert leftovers(out) == []
    disk(ENOUGH)
    again = run_here(shared_table, out)
    assert again.status == 0, again.err
    assert predictions(out) == undisturbed


@pytest.mark.parametrize("size", [16, 48, pytest.param(96, marks=pytest.mark.faults_long)])
def test_full_disk_in_tuning_is_one_sentence(size: int, disk: Disk, shared_table: Path) -> None:
    out = disk(size) / "out"
    settings = ["--data", shared_table, "--out", out, "--trials", 2, "--jobs", 1]
    settings += ["--set", "folds.n=2"]
    assert_one_sentence(called("tune", "tfidf_logreg", *settings))
    disk(ENOUGH)
    done = called("tune", "tfidf_logreg", *settings)
    assert done.status == 0, done.err


@pytest.mark.parametrize(
    "on", ["local", pytest.param("slurm:local", marks=pytest.mark.faults_long)]
)
def test_disk_that_a_journal_fills_is_one_sentence(
    on: str, disk: Disk, shared_table: Path, tmp_path: Path
) -> None:
    if on != "local":
        pytest.importorskip("submitit", reason="the extra slurm is not installed")
    where = disk(8)
    (where / "other").write_bytes(b"0" * 4096)
    settings = ["--data", shared_table, "--out", tmp_path / "out", "--trials", 4, "--jobs", 1]
    settings += ["--set", "folds.n=2", "--on", on, "--storage", f"journal:{where}/a.journal"]
    done = called("tune", "tfidf_logreg", *settings)
    assert_one_sentence(done)
    assert "a.journal fails: No space left on device. Make room there" in done.err
    disk(ENOUGH)
    done = called("tune", "tfidf_logreg", *settings)
    assert done.status == 0, done.err


@pytest.mark.parametrize("command", ["run", "folds", "extract", "tune", "add-oof"])
def test_disk_that_may_only_be_read_is_one_sentence(
    command: str, disk: Disk, shared_table: Path, tmp_path: Path
) -> None:
    where = disk(ENOUGH)
    for name, prefix, n in (("oof", "", 40), ("test", "test", 9)):
        rows = "".join(f"{prefix}ad{i},0.5,0.5,0.5,0.5,0.5\n" for i in range(n))
        file = tmp_path / f"{name}.csv"
        file.write_text("id,Love,Long,Space,War,dark\n" + rows, encoding="utf-8")
    disk(ENOUGH, "ro")
    arguments = {
        "run": ("run", "--data", shared_table, "--jobs", 1, *QUICK),
        "folds": ("folds", shared_table),
        "extract": ("extract", "--data", shared_table, "--profile", "clips", "--jobs", 1),
        "tune": ("tune", "tfidf_logreg", "--data", shared_table, "--trials", 1, "--jobs", 1),
        "add-oof": (
            *("add-oof", "theirs", "--data", shared_table),
            *("--oof", tmp_path / "oof.csv", "--test", tmp_path / "test.csv"),
        ),
    }[command]
    done = called(*arguments, "--out", where / "out")
    if command == "extract":  # a table of texts has nothing to extract, so nothing is written
        assert done.status == 0
        return
    assert_one_sentence(done)
    assert "may not be written to" in done.err


def test_file_in_place_of_a_folder_is_named(shared_table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("a file", encoding="utf-8")
    done = run_here(shared_table, out)
    assert_one_sentence(done)
    assert f"{out} is a file: results need a folder" in done.err
    assert out.read_text(encoding="utf-8") == "a file"


@pytest.mark.parametrize("folder", ["oof", "cache", "submissions", "oof/films/tfidf_logreg"])
def test_file_in_place_of_an_inner_folder_is_named(
    folder: str, shared_table: Path, tmp_path: Path
) -> None:
    in_the_way = tmp_path / folder
    in_the_way.parent.mkdir(parents=True, exist_ok=True)
    in_the_way.write_text("a file", encoding="utf-8")
    done = run_here(shared_table, tmp_path)
    assert_one_sentence(done)
    assert f"{in_the_way} is a file where a folder is needed" in done.err


def test_folder_in_place_of_a_file_is_named(shared_table: Path, tmp_path: Path) -> None:
    (tmp_path / "oof/films/tfidf_logreg/oof.parquet").mkdir(parents=True)
    done = run_here(shared_table, tmp_path)
    assert_one_sentence(done)
    assert "oof.parquet" in done.err


def test_python_gets_the_same_sentence(disk: Disk, shared_table: Path) -> None:
    profile = competition.load_profile("text", ['models=["tfidf_logreg"]', "level2.model=mean"])
    with pytest.raises(WriteError, match="cannot be written: the disk is full"):
        competition.run(shared_table, profile, disk(16) / "out", n_jobs=1)
