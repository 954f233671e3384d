"""The bench of a million ads measures every step, of a few."""

from pathlib import Path

from benchmarks import scale


def test_every_step_has_its_row(tmp_path: Path) -> None:
    rows = [row.strip("| ").split(" | ") for row in scale.measure(tmp_path, 400, 7, 10)]
    assert len(rows) == 8
    assert {row[1] for row in rows} == {"10", "400"}
    (labels,) = [row for row in rows if row[0].startswith("labels")]
    assert labels[4] == "7.0"  # bytes: one a tag
