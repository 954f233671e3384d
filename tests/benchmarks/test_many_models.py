"""The bench of many models runs, and says what it found."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import many_models


def test_made_models_are_copies_as_often_as_is_said(tmp_path: Path) -> None:
    many_models.make(tmp_path, 80, 60, 4)
    files = sorted((tmp_path / "models").glob("*.oof.parquet"))
    assert len(files) == 80
    values = [pd.read_parquet(file).drop(columns=["id", "fold"]).to_numpy() for file in files]
    near = [
        any(np.abs(one - other).max() < 0.01 for other in values[:i])
        for i, one in enumerate(values)
    ]
    assert 8 <= sum(near) <= 28  # a fifth of 68, and constants


def test_small_bench_runs_and_writes_its_note(tmp_path: Path) -> None:
    note = tmp_path / "note.md"
    many_models.main(["--models", "14", "--ads", "60", "--tags", "4", "--result", str(note)])
    text = note.read_text("utf-8")
    assert text.startswith("# 14 models made elsewhere")
    assert len(re.findall(r"\| [\d.]+ s \| \d+ s \| [\d.]+ GiB \|", text)) == 5
    assert re.search(r"\| selection \| 0\.\d+ \| 0\.\d+ \|", text)
