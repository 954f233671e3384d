"""Small runs that are disturbed, and what they leave: the same bytes as an undisturbed run."""

import os
import subprocess
import sys
from pathlib import Path

from competition.submission.ledger import LEDGER
from tests.cli.calling import Called, called

ROOT = Path(__file__).resolve().parents[2]
QUICK = (
    *("--profile", "text"),
    *("--set", 'models=["tfidf_logreg", "lightgbm"]'),
    *("--set", "folds.n=3"),
    *("--set", "level2.model=mean"),
)


def run_here(data: Path, out: Path, *more: str, jobs: int = 1) -> Called:
    """Run a small profile in this process."""
    return called("run", "--data", data, "--out", out, "--jobs", jobs, *QUICK, *more)


def started(*arguments: object) -> subprocess.Popen[str]:
    """Start a command as a user does, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "competition", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def predictions(out: Path) -> dict[str, bytes]:
    """Bytes of all predictions and submissions below a folder, by name; the ledger is a log."""
    patterns = ("oof/*/*/oof.parquet", "oof/*/*/test.parquet", "submissions/*.csv")
    patterns += ("submissions/*.json",)
    return {
        str(path.relative_to(out)): path.read_bytes()
        for pattern in patterns
        for path in sorted(out.glob(pattern))
        if path.name != LEDGER
    }


def assert_one_sentence(done: Called) -> None:
    """Check that a command ended as one that a user can do something about."""
    assert done.status == 2, f"{done.status}\n{done.out}\n{done.err}"
    assert done.err.startswith("Error: ")
    assert "Traceback" not in done.err + done.out
    assert len(done.err.strip().splitlines()) == 1


def leftovers(out: Path) -> list[Path]:
    """Temporary files and folders."""
    return [path for path in out.rglob("*") if path.name.endswith(".tmp")]
