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
    with lines.open("a", encoding="utf-8") as file:
        file.write('{"seed": 3, "gap"')  # stopped in the middle
    regret.main(["--problems", "3", *common])
    assert [json.loads(line) for line in lines.read_text("utf-8").splitlines()] == found
    text = note.read_text("utf-8")
    assert "Problems that were looked at: 2" in text
    assert "The reserved third: 1" in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--learners", "mean, nosuch"], "--learners: nosuch: choose from calibrated_mean"),
        (["--largest", "199"], "199 is less than 200"),
        (["--problems", "-3"], "-3 is less than 1"),
        (["--failing"], "holds problems of other settings"),
        (["--learners", "mean"], "holds problems of other settings"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, note = tmp_path / "lines.jsonl", tmp_path / "note.md"
    written = {"seed": 0, "settings": {"failing": False, "largest": 800, "learners": ["single"]}}
    lines.write_text(json.dumps(written) + "\n", encoding="utf-8")
    with pytest.raises(SystemExit):
        regret.main([*options, "--lines", str(lines), "--result", str(note)])
    assert said in capsys.readouterr().err
    assert json.loads(lines.read_text("utf-8")) == written
    assert not note.exists()


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
