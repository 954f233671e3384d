"""What counts as a word in `run`: the scores of ads whose tags stand in one word each."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.cli.calling import call

TOML = """\
name = "words"
train = "train.csv"
id = "id"

[[tags]]
column = "topic"
dimension = "topic"

[inputs.words]
kind = "text"
columns = ["title"]
"""

WRITTEN = {
    "torn by what nobody sees": ["sum\u200bmer", "su\u00admmer", "wint\u200der", "w\ufeffinter"],
    "told by vowel signs alone": ["किताब", "किताब", "कीताब", "कीताब"],
    "told by emoji": ["🔥", "🔥", "👨‍👩‍👧", "👨‍👩‍👧"],
    "told by a word within unspaced Thai": ["ซื้อกาแฟร้อน", "ดื่มกาแฟเย็น", "ซื้อรองเท้าใหม่", "ใส่รองเท้าสวย"],
}


@pytest.mark.parametrize("titles", WRITTEN.values(), ids=WRITTEN.keys())
def test_terms_tell_the_tags(tmp_path: Path, titles: list[str]) -> None:
    """Titles of each kind in turns, among words that tell nothing."""
    rng = np.random.default_rng(0)
    rows = [
        (f"a{i:02}", f"{titles[i % 4]} filler{rng.integers(5)}", ("one", "other")[i % 4 // 2])
        for i in range(48)
    ]
    pd.DataFrame(rows, columns=["id", "title", "topic"]).to_csv(tmp_path / "train.csv", index=False)
    (tmp_path / "competition.toml").write_text(TOML, encoding="utf-8")

    done = call(
        *("run", "--data", tmp_path, "--out", tmp_path / "out", "--profile", "text"),
        *("--set", 'models=["tfidf_logreg"]', "--set", "level2.model=mean"),
        *("--set", "folds.n=3", "--jobs", "1"),
    )

    assert done.row("tfidf_logreg")[1] == "1.0000"
