"""The regret bench runs, goes on where it was stopped, and says what it found."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import regret
from benchmarks.regret_problems import FAULTS, SKEWS, make_problem, skewed


def test_small_bench_runs_resumes_and_writes_its_note(tmp_path: Path) -> None:
    lines, note = tmp_path / "lines.jsonl", tmp_path / "note.md"
    common = ["--largest", "210", "--learners", "mean,logit_mean,single,pooled"]
    common += ["--lines", str(lines), "--result", str(note)]
    regret.main(["--problems", "2", *common])
    first = lines.read_text("utf-8")
    regret.main(["--problems", "3", *common])
    assert lines.read_text("utf-8").startswith(first)
    found = [json.loads(line) for line in lines.read_text("utf-8").splitlines()]
    assert [one["seed"] for one in found] == [0, 1, 2]
    for one in found:
        assert 0 < one["gap"]["the stack"] <= 1
        assert {"best single", "StackingClassifier", "pooled"} <= set(one["gap"])
    text = note.read_text("utf-8")
    assert "Problems that were looked at: 2" in text
    assert "The reserved third: 1" in text


def test_problems_are_the_same_for_the_same_seed() -> None:
    one, two = make_problem(6, 210), make_problem(6, 210)
    assert one.data.ads.probabilities.tobytes() == two.data.ads.probabilities.tobytes()
    assert one.injected == two.injected
    assert set(one.injected) <= {*SKEWS, *FAULTS}


@pytest.mark.parametrize("how", SKEWS)
def test_scale_of_its_own_keeps_the_order(how: str) -> None:
    values = np.linspace(0.01, 0.99, 50, dtype=np.float32).reshape(25, 1, 2)
    found = skewed(values, how, np.random.default_rng(0))
    assert (np.diff(found.ravel()) > 0).all()
