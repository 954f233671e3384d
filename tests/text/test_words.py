"""Cutting texts into words, against jieba and by script."""

import json
import re
from unicodedata import is_normalized

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from competition.text.visible import visible
from competition.text.words import tokenize

# Nothing that normalising changes, and nothing that ends a segment.
chinese_segments = st.lists(
    st.one_of(
        st.sampled_from("的点击视频下方链接老师课程免费领取元红包高清一二三九块钱"),
        st.sampled_from(
            ["C++", "c#", "AT&T", "T恤", "4G", "xiaoe-tech.com", "9.9元", "50%", "e化"]
        ),
        st.sampled_from("abXY019-_+#&% éß“”"),
        st.characters(min_codepoint=0x4E00, max_codepoint=0x9FD5),
    ),
    max_size=30,
).map(lambda parts: "的" + "".join(parts))


@pytest.fixture(scope="module")
def jieba():
    import jieba

    jieba.setLogLevel("ERROR")
    jieba.initialize()
    return jieba


def words(segment):
    """Words of a segment without its hashtags, which jieba does not know."""
    return [token for token in tokenize(segment, "word") if token[0] != "#"]


def words_of_jieba(jieba, segment):
    return [word.lower() for word in jieba.lcut(segment) if re.search(r"[^\W_]", word)]


class TestAgainstJieba:
    @settings(deadline=None, max_examples=300)
    @given(chinese_segments)
    def test_any_chinese_segment_is_cut_as_jieba_cuts_it(self, jieba, segment):
        assert words(segment) == words_of_jieba(jieba, segment)

    def test_real_ads_are_cut_as_jieba_cuts_them(self, jieba, real_data):
        folder = real_data / "taac2021" / "dataset" / "tagging"
        files = sorted(folder.glob("*/text_txt/tagging/*.txt"))[::4]
        texts = [text for file in files for text in json.loads(file.read_text("utf-8")).values()]
        segments = [
            segment
            for text in texts
            for segment in re.split(r"[|\n。!！?？;；,，、:：]+|\.\s", text)
            if re.search(r"[\u4e00-\u9fff]", segment) and is_normalized("NFKC", segment)
            if not re.search(r"[\u3040-\u30ff]", segment)  # kana, which are cut into pairs
        ]
        assert len(segments) > 1000
        cut = [words(segment) for segment in segments]
        assert cut == [words_of_jieba(jieba, segment) for segment in segments]

    def test_an_unknown_run_of_ascii_is_split(self):
        assert tokenize("访问xiaoe-tech.com", "word") == ["访问", "xiaoe", "tech", "com"]

    def test_an_ascii_word_of_the_dictionary_stays_whole(self):
        assert tokenize("学习C++", "word") == ["学习", "c++"]


class TestTokenize:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("点击视频下方链接", ["点击", "视频", "下方", "链接"]),
            ("仅需９.９元！", ["仅", "需", "9.9", "元"]),
            ("Amélie's 2nd café, 50% off.", ["amélie", "s", "2nd", "café", "50%", "off"]),
            ("Cafe\u0301 ﬁlm", ["café", "film"]),
            ("Привет, мир", ["привет", "мир"]),
            ("……|。 _-", []),
            ("", []),
            ("\ud83d坏", ["坏"]),
        ],
    )
    def test_words(self, text, expected):
        assert tokenize(text, "word") == expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("हिन्दी में नया", ["हिन्दी", "में", "नया"]),
            ("বাংলা ভাষা", ["বাংলা", "ভাষা"]),
            ("தமிழ் மொழி", ["தமிழ்", "மொழி"]),
            ("كِتَابٌ جديد", ["كِتَابٌ", "جديد"]),
            ("за\u0301мок", ["за\u0301мок"]),
            ("नया 新品上市", ["नया", "新品", "上市"]),
        ],
    )
    def test_combining_marks_belong_to_their_word(self, text, expected):
        assert tokenize(text, "word") == expected

    @pytest.mark.parametrize("unseen", ["\u200b", "\u00ad", "\u200d", "\u200c", "\ufeff", "\u2060"])
    @pytest.mark.parametrize("analyzer", ["word", "char"])
    @pytest.mark.parametrize("word", ["summer", "हिन्दी", "新品上市", "สวัสดี"])
    def test_invisible_characters_vanish(self, word, analyzer, unseen):
        torn = unseen + unseen.join(word) + unseen

        assert tokenize(torn, analyzer) == tokenize(word, analyzer)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("sale🔥now", ["sale", "🔥", "now"]),
            ("🔥🔥", ["🔥", "🔥"]),
            ("I ❤️ it ❤", ["i", "❤", "it", "❤"]),
            ("👨‍👩‍👧 👍🏽", ["👨‍👩‍👧", "👍🏽"]),
            ("🇫🇷🇩🇪", ["🇫🇷", "🇩🇪"]),
            ("新品🔥上市", ["新品", "🔥", "上市"]),
            ("★ → ©", []),
        ],
    )
    def test_emoji_are_words(self, text, expected):
        assert tokenize(text, "word") == expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("#Sale today", ["sale", "today", "#sale"]),
            ("＃新品上市 快", ["新品", "上市", "快", "#新品上市"]),
            ("the #1 in C#", ["the", "1", "in", "c"]),
            ("it&#39s a.org/#top", ["it", "39s", "a", "org", "top"]),
        ],
    )
    def test_hashtags_are_words_beside_their_own(self, text, expected):
        assert tokenize(text, "word") == expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("ลดราคา", ["ลด", "ดร", "รา", "าค", "คา"]),
            ("ที่นี่", ["ที่นี่"]),
            ("ສະບາຍ", ["ສະ", "ະບ", "ບາ", "າຍ"]),
            ("ភាសា", ["ភាសា"]),
            ("မြန်မာ", ["မြန်", "န်မာ"]),
            ("セール", ["セー", "ール"]),
            ("の", ["の"]),
            ("iPhoneケース", ["iphone", "ケー", "ース"]),
        ],
    )
    def test_scripts_without_spaces_are_cut_into_pairs(self, text, expected):
        assert tokenize(text, "word") == expected

    def test_characters_come_with_a_space_at_either_end_of_a_run(self):
        assert tokenize("领9元,Go", "char") == [" ", "领", "9", "元", " ", " ", "g", "o", " "]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sum\u00admer\u200b", "summer"),
        ("❤️", "❤"),
        ("👨‍👩‍👧", "👨‍👩‍👧"),
        ("plain, text", "plain, text"),
    ],
)
def test_what_is_visible(text, expected):
    assert visible(text) == expected
