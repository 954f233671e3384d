"""What counts as a word in `run`: the scores of ads whose tags stand in one word each."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.utils.versions import version_of
from tests.cli.calling import Called, call

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
    "told by a word within unspaced Japanese": [
        "今だけ化粧水がお得",
        "化粧水なら当店で",
        "今だけ革靴がお得",
        "革靴なら当店で",
    ],
    "told by a word within unspaced Thai": ["ซื้อกาแฟร้อน", "ดื่มกาแฟเย็น", "ซื้อรองเท้าใหม่", "ใส่รองเท้าสวย"],
}


# Nouns of three topics in Japanese and Thai, and what ads of any topic say around one.
NOUNS = {
    "beauty": (["化粧水", "口紅", "シャンプー"], ["ครีมกันแดด", "ลิปสติก", "น้ำหอม"]),
    "fashion": (["ワンピース", "革靴", "帽子"], ["รองเท้าผ้าใบ", "กระเป๋า", "ชุดเดรส"]),
    "travel": (["航空券", "温泉旅館", "ホテル"], ["ตั๋วเครื่องบิน", "โรงแรม", "รถเช่า"]),
}
AROUND = (
    [
        "{}が今だけ{}%OFF！送料無料🔥",
        "【期間限定】人気の{}を{}円でお試し",
        "{}を探すならこのアプリ。{}人が利用中",
        "話題の{}、初回限定{}円 #セール",
    ],
    [
        "ลดราคา{} สูงสุด {}% วันนี้เท่านั้น🔥",
        "{}ราคาพิเศษ {} บาท ส่งฟรี",
        "ซื้อ{}ออนไลน์ รับเงินคืน {} บาท #โปรโมชั่น",
        "สั่ง{}ผ่านแอปลดทันที {} บาท",
    ],
)


def run(folder: Path, titles: list[str], topics: list[str]) -> Called:
    """Run one model on ads of these titles, whose topics are their tags."""
    ids = [f"a{i:03}" for i in range(len(titles))]
    ads = pd.DataFrame({"id": ids, "title": titles, "topic": topics})
    ads.to_csv(folder / "train.csv", index=False)
    (folder / "competition.toml").write_text(TOML, encoding="utf-8")
    return call(
        *("run", "--data", folder, "--out", folder / "out", "--profile", "text"),
        *("--set", 'models=["tfidf_logreg"]', "--set", "level2.model=mean"),
        *("--set", "folds.n=3", "--jobs", "1"),
    )


@pytest.mark.parametrize("titles", WRITTEN.values(), ids=WRITTEN.keys())
def test_terms_tell_the_tags(tmp_path: Path, titles: list[str]) -> None:
    """Titles of each kind in turns, among words that tell nothing."""
    rng = np.random.default_rng(0)
    written = [f"{titles[i % 4]} filler{rng.integers(5)}" for i in range(48)]

    done = run(tmp_path, written, [("one", "other")[i % 4 // 2] for i in range(48)])

    assert done.row("tfidf_logreg")[1] == "1.0000"


def test_a_noun_within_japanese_and_thai_ads_tells_their_topic(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    topics = list(rng.choice(list(NOUNS), 120))
    titles = [
        AROUND[i % 2][rng.integers(4)].format(
            NOUNS[topic][i % 2][rng.integers(3)], 10 * rng.integers(1, 20)
        )
        for i, topic in enumerate(topics)
    ]

    done = run(tmp_path, titles, topics)

    assert float(done.row("tfidf_logreg")[1]) > 0.9


def test_another_version_of_what_cuts_words_counts_them_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    titles, topics = ["ลดราคา", "新品上市", "セール"] * 6, ["one", "two", "three"] * 6
    run(tmp_path, titles, topics)
    cache = tmp_path / "out" / "cache" / "words"
    before = set(cache.iterdir())
    run(tmp_path, titles, topics)
    assert set(cache.iterdir()) == before

    monkeypatch.setattr(
        "competition.utils.versions.version_of",
        lambda name: "99.0" if name == "icu4py" else version_of(name),
    )
    run(tmp_path, titles, topics)

    assert len(set(cache.glob("*.ragged")) - before) == 1
