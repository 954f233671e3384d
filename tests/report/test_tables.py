"""What the commands print."""

from pathlib import Path

import pytest

from competition.report.tables import print_tuned
from competition.tuning.search import Tuned


def tuned(importances: dict[str, float]) -> Tuned:
    return Tuned(
        dataset="films",
        name="tfidf_logreg",
        start={"C": 4.0, "min_df": 2},
        best={"C": 6.25, "min_df": 3},
        start_gap=0.70004,
        best_gap=0.71006,
        complete=8,
        pruned=3,
        failed=1,
        importances=importances,
        study="films/tfidf_logreg/0123",
        storage="sqlite:///studies.sqlite",
        path=Path("tfidf_logreg.toml"),
    )


def test_tuned_values_stand_beside_those_it_started_from(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_tuned(tuned({"min_df": 0.75, "C": 0.25}))
    rows = [line.replace("│", " ").split() for line in capsys.readouterr().out.splitlines()]
    values = [row for row in rows if row[:1] in (["C"], ["min_df"], ["GAP"])]
    assert values == [
        ["min_df", "2", "3", "0.75"],
        ["C", "4", "6.25", "0.25"],
        ["GAP", "0.7000", "0.7101"],
    ]


def test_tuning_says_that_its_best_gap_is_optimistic(capsys: pytest.CaptureFixture[str]) -> None:
    print_tuned(tuned({"min_df": 0.75, "C": 0.25}))
    assert "The best GAP is optimistic" in capsys.readouterr().out


def test_tuning_says_why_it_shows_no_importances(capsys: pytest.CaptureFixture[str]) -> None:
    print_tuned(tuned({}))
    assert "Importances need 10 complete trials" in capsys.readouterr().out
