"""The bench of time limits runs, and says what it found."""

import re
from pathlib import Path

import pytest

from benchmarks import time_limit
from competition.datasets import load_dataset


def test_made_ads_are_read_and_their_words_hang_on_their_tags(tmp_path: Path) -> None:
    made = load_dataset(time_limit.make(tmp_path / "made", 200))
    assert (len(made.train_ids), len(made.test_ids), len(made.tags)) == (200, 40, 20)
    assert list(made.inputs) == ["text", "about"]
    texts = made.ads.loc[made.train_ids, "text"].str.split().map(set)
    carries = made.labels[:, 0] == 1

    def shared(words: object) -> float:
        return float(texts.map(lambda text: len(text & words)).mean())  # type: ignore[operator]

    own = set.union(*texts[carries]) - set.union(*texts[~carries])
    assert own
    assert shared(own) > 0


@pytest.mark.slow
def test_small_bench_runs_and_writes_its_note(tmp_path: Path) -> None:
    note = tmp_path / "note.md"
    time_limit.main(["--ads", "120", "--limit", "40s", "--result", str(note)])
    text = note.read_text("utf-8")
    assert text.startswith("# Runs with `--time-limit 40s`")
    seconds = re.search(r"seconds of the whole command \| (\d+) \|", text)
    assert seconds is not None
    assert int(seconds[1]) <= 40
    assert "predictions and submission of the two | the same |" in text
    assert re.search(r"OOF GAP of the stack \| 0\.\d{4} \|", text)
    data = time_limit.make(tmp_path / "made", 60)
    given = ["--qualities", str(data), "--profile", "text", "--names", "fast"]
    time_limit.main([*given, "--result", str(note)])
    both = note.read_text("utf-8")
    assert both.startswith(text.rstrip())
    assert re.search(r"\| fast \| 3 \| \d+ \| \d+ \| 0\.\d{4} \|  \|", both)
