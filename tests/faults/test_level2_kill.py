"""A kill in the middle of level 2: what was cross-fitted is read, and the bytes are the same."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.calling import call

ROOT = Path(__file__).resolve().parents[2]
SLOW = """
import time
from pathlib import Path

from competition import MetaLearner, meta_learner

HERE = Path(__file__).parent


class _Slow(MetaLearner):
    def _fit(self, data):
        with (HERE / "fits.txt").open("a") as file:
            file.write(f"{type(self).__name__} {len(data.labels)}\\n")
        time.sleep(0.1 if (HERE / "slow").exists() else 0)
        self.share_ = data.labels.mean(axis=0)

    def _predict_proba(self, ads):
        return (ads.probabilities.mean(axis=1) + self.share_) / 2


@meta_learner("slow_one")
class SlowOne(_Slow):
    complexity = 2


@meta_learner("slow_other")
class SlowOther(_Slow):
    complexity = 3
"""
SETTINGS = [
    *("--set", 'models=["tfidf_logreg", "tfidf_nblogreg"]', "--set", "folds.n=4"),
    *("--set", 'plugins=["slow.py"]', "--set", 'level2.model=["mean", "slow_one", "slow_other"]'),
]
FITS = {"all": 4}  # of a cross-fit with all folds; one without two folds is a single fit
ALL_FITS = 2 * (4 + 4 * 3 // 2)


def _run(data: Path, out: Path) -> list[str]:
    return ["run", "--data", str(data), "--out", str(out), "--jobs", "1", *SETTINGS]


def _fits(folder: Path) -> int:
    return len((folder / "fits.txt").read_text(encoding="utf-8").splitlines())


@pytest.mark.usefixtures("registries_restored")
def test_a_kill_in_level_2_loses_the_running_cross_fit_alone(
    shared_table: Path, tmp_path: Path
) -> None:
    (tmp_path / "slow.py").write_text(SLOW, encoding="utf-8")
    (tmp_path / "slow").touch()
    out = tmp_path / "killed"
    process = subprocess.Popen(
        [sys.executable, "-m", "competition", *_run(shared_table, out)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    kept = out / "oof" / "films" / "stack-selection" / "cross-fits"
    deadline = time.monotonic() + 120
    while len(list(kept.glob("slow*.npz"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (tmp_path / "slow").unlink()
    (tmp_path / "fits.txt").unlink()
    stored = [path.stem.rpartition("-")[2] for path in kept.glob("slow*.npz")]
    assert 3 <= len(stored) < 10
    assert not (kept.parent / "card.json").exists()
    whole = shutil.copytree(out, tmp_path / "damaged")

    call(*_run(shared_table, out), cwd=tmp_path)
    assert _fits(tmp_path) == ALL_FITS - sum(FITS.get(place, 1) for place in stored)
    assert not kept.exists()

    # Damaged ones are fitted again.
    for path in (whole / kept.relative_to(out)).glob("*.npz"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    (tmp_path / "fits.txt").unlink()
    call(*_run(shared_table, whole), cwd=tmp_path)
    assert _fits(tmp_path) == ALL_FITS

    fresh = tmp_path / "fresh"
    call(*_run(shared_table, fresh), cwd=tmp_path)
    for file in ("stack-selection/oof.parquet", "stack-selection/test.parquet"):
        bytes_of = [(one / "oof" / "films" / file).read_bytes() for one in (out, whole, fresh)]
        assert bytes_of[0] == bytes_of[2]
        assert bytes_of[1] == bytes_of[2]
    (submission,) = (fresh / "submissions").glob("films-*.csv")
    assert (out / "submissions" / submission.name).read_bytes() == submission.read_bytes()
