"""Commands whose output is a pipe: lines that tell how far each stage is, and the time left."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import QUICK

ROOT = Path(__file__).resolve().parents[2]
# As a user starts it, but with a line more often than every half minute, and of short stages too.
START = """
from competition.report import progress
progress.EVERY, progress.SHORT = 0.02, 0.0
from competition.cli.app import main
main()
"""
UNDER_WAY = r"{}: ([\d,]+) of ([\d,]+) after [\d:]+(, about [\d:]+ left)?( \(.*\))?"


def lines_of(*arguments: object) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", START, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=False,
    )
    out = done.stdout.decode()
    assert done.returncode == 0, out + done.stderr.decode()
    assert "\r" not in out
    assert "\x1b" not in out
    return out.splitlines()


def check_stage(stage: str, lines: list[str]) -> None:
    """Check that a stage's lines count up to its end, and that its end is told once."""
    said = [found for line in lines if (found := re.fullmatch(UNDER_WAY.format(stage), line))]
    done = [int(found[1].replace(",", "")) for found in said]
    assert done == sorted(done)
    ends = [line for line in lines if re.fullmatch(rf"{stage}: ([\d,]+) of \1 in [\d:]+", line)]
    assert len(ends) == 1, "\n".join(lines)


def test_run_tells_the_time_left_of_every_stage(ads: Path, tmp_path: Path) -> None:
    lines = lines_of("run", "--data", ads, "--out", tmp_path, *QUICK)
    for stage in ("counting the terms of ocr", "level 1", "level 2"):
        check_stage(stage, lines)
    assert "level 2: 1 of 1 in 0:00" in lines  # fits
    under_way = r"level 1: 3 of 6 after [\d:]+, about [\d:]+ left \(.*\)"
    assert any(re.fullmatch(under_way, line) for line in lines)
    table = next(n for n, line in enumerate(lines) if "Out-of-fold scores" in line)
    assert not any("━" in line for line in lines[:table])


def test_ablate_and_tune_tell_it_too(ads: Path, out: Path) -> None:
    settings = ["--data", ads, "--out", out, *QUICK]
    tuning = lines_of("tune", "tfidf_logreg", *settings, "--trials", 2)
    check_stage("tuning tfidf_logreg", tuning)
    lines = lines_of("ablate", *settings, "--set", 'kinds=["metadata"]')
    for stage in ("ablation", "ways of fusing", "dropping models"):
        check_stage(stage, lines)


@pytest.mark.parametrize("command", ["check", "extract"])
def test_what_reads_files_tells_it_too(command: str, demo_films: Path, tmp_path: Path) -> None:
    if command == "check":
        check_stage("checking files", lines_of("check", demo_films))
    else:
        where = ("--data", demo_films, "--out", tmp_path, "--profile", "demo", "--jobs", 1)
        lines = lines_of("extract", *where)
        for feature in ("media", "visual", "sound"):
            check_stage(f"extracting {feature}", lines)
