"""The bench of level 1 runs through the command line, and says where a run was stopped."""

import re
from pathlib import Path

from benchmarks import growth_level1


def test_small_bench_writes_its_note(tmp_path: Path) -> None:
    note, few = tmp_path / "note.md", ("--ads", "120", "--models", "tfidf_nblogreg")
    growth_level1.main([*few, "--tags", "5", "9", "--result", str(note)])
    rows = re.findall(
        r"^\| 120 \| (5|9) \| `tfidf_nblogreg` \|( \d+\.\d+ \|){4} \d+ \| (0\.\d{4}) \|$",
        note.read_text("utf-8"),
        re.MULTILINE,
    )
    assert [tags for tags, *_ in rows] == ["5", "9"]


def test_run_that_takes_too_long_is_stopped_and_told(tmp_path: Path) -> None:
    note, few = tmp_path / "note.md", ("--ads", "120", "--models", "tfidf_nblogreg")
    growth_level1.main([*few, "--tags", "5", "--limit", "0.5", "--result", str(note)])
    assert "| stopped after 0 s | | | | |" in note.read_text("utf-8")
