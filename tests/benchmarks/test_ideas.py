"""The table of ideas: one row a setting, each stacked beside the profile's own models."""

import json
from pathlib import Path

import pytest

from benchmarks import ideas


def test_an_idea_is_run_and_stacked_beside_the_profile(
    shared_table: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ideas, "LEARNERS", ("mean", "single"))
    tried = {name: ideas.IDEAS[name] for name in ("knn", "joint_nblogreg")}
    monkeypatch.setattr(ideas, "IDEAS", tried)
    given = ["--data", str(shared_table), "--profile", "text", "--out", str(tmp_path)]
    ideas.main([*given, "--set", "folds.n=3", "--set", 'models=["tfidf_logreg"]'])
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows] == [
        "| added",
        "| nothing: 1 models",
        "| knn",
        "| joint_nblogreg",
    ]
    stored = tmp_path / "oof" / "films"
    for row, name in zip(rows[2:], ("idea_knn", "idea_joint"), strict=True):
        card = json.loads((stored / name / "card.json").read_text("utf-8"))
        alone, stack, gain = (row.split("|")[place].strip() for place in (2, 4, 5))
        assert alone == f"{card['scores']['gap']:.4f}"
        base = float(rows[1].split("|")[4])
        assert float(stack) == pytest.approx(base + float(gain), abs=2e-4)
