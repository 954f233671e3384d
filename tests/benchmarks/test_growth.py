"""The bench of growth runs, and says what was dropped and chosen."""

import re
from pathlib import Path

from benchmarks import growth


def test_small_bench_runs_and_writes_its_note(tmp_path: Path) -> None:
    note = tmp_path / "note.md"
    learners = ["--learners", "mean", "pooled", "single"]
    growth.main(["--ads", "320", *learners, "--jobs", "1", "--whole", "--result", str(note)])
    text = note.read_text("utf-8")
    assert text.startswith("# Growth\n\n## Level 2")
    rows = re.findall(
        r"^\| 320 \| mean, pooled, single \| (no|yes) \| [\d.]+ \| [\d.]+ \| [\d.]+ GiB \| .* "
        r"\| none \| .* \| (0\.\d{4}) \|$",
        text,
        re.MULTILINE,
    )
    assert [whole for whole, _ in rows] == ["no", "yes"]
