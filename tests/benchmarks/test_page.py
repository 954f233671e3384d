"""The benchmark of the page makes its ads and times the command on them."""

from pathlib import Path

from benchmarks import page


def test_small_cases_are_timed_and_noted(tmp_path: Path) -> None:
    page.main((page.Case(12, 3, 2, 12),), tmp_path / "page.md")
    text = (tmp_path / "page.md").read_text("utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| 12")]
    assert [row[4] for row in rows] == ["first", "again"]
    assert all(float(cell) > 0 for row in rows for cell in row[5:])
