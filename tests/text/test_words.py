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
            if not re.search(r"[\u3040-\u30ff]", segment)  # kana, which ICU cuts
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
            ("за\u0301мок", ["за\u0301мок"]),
            ("नया 新品上市", ["नया", "新品", "上市"]),
        ],
    )
    def test_combining_marks_belong_to_their_word(self, text, expected):
        assert tokenize(text, "word") == expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("كِتَابٌ جديد", ["كتاب", "جديد"]),
            ("خصـــم ٥٠%", ["خصم", "٥٠%"]),
            ("שָׁלוֹם", ["שלום"]),
            ("أحمد آخر", ["أحمد", "آخر"]),  # another letter, not a vowel's mark
        ],
    )
    @pytest.mark.parametrize("analyzer", ["word", "char"])
    def test_marks_of_vowels_and_stretching_make_no_other_word(self, text, expected, analyzer):
        assert tokenize(text, analyzer) == tokenize(" ".join(expected), analyzer)
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
            ("ลดราคารองเท้า", ["ลด", "ราคา", "รองเท้า"]),
            ("ผ่อน iPhone15 ดอกเบี้ย 0%🔥", ["ผ่อน", "iphone15", "ดอกเบี้ย", "0%", "🔥"]),
            ("#แมวน่ารัก", ["แมว", "น่า", "รัก", "#แมวน่ารัก"]),
            ("ກາເຟລາວ", ["ກາເຟ", "ລາວ"]),
            ("បញ្ចុះតម្លៃ៥០% ស្បែកជើងកីឡា", ["បញ្ចុះតម្លៃ", "៥០%", "ស្បែកជើង", "កីឡា"]),
            ("မြန်မာနိုင်ငံအနှံ့ပို့ဆောင်", ["မြန်မာနိုင်ငံ", "အနှံ့", "ပို့ဆောင်"]),
            ("セール", ["セール"]),
            ("の", ["の"]),
            ("iPhoneケース", ["iphone", "ケース"]),
            ("ﾜﾝﾋﾟｰｽ", ["ワンピース"]),
            ("ซูชิセール", ["ซูชิ", "セール"]),
        ],
    )
    def test_scripts_without_spaces_are_cut_into_words(self, text, expected):
        assert tokenize(text, "word") == expected

    @pytest.mark.parametrize(
        "text",
        [
            "น้ำหอม",
            "นํ้าหอม",  # the vowel's ring before the tone, as many type it
            "น้\u0e4d\u0e32หอม",  # taken apart, as NFKC has it
        ],
    )
    def test_the_thai_vowel_am_is_one_character_however_written(self, text):
        assert tokenize(text, "word") == ["น้ำหอม"]

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("秋の旅行は北海道へ", ["秋", "の", "旅行", "は", "北海道", "へ"]),
            ("月々3,300円の化粧水", ["月々", "3", "300", "円", "の", "化粧", "水"]),
            ("佐々木希の写真集", ["佐々木", "希", "の", "写真", "集"]),
            ("無料体験受付中！今だけ", ["無料", "体験", "受付", "中", "今", "だけ"]),
        ],
    )
    def test_ideographs_of_japanese_are_cut_as_japanese(self, text, expected):
        assert tokenize(text, "word") == expected

    @pytest.mark.parametrize(
        ("text", "chinese"),
        [
            ("家の味道", ["家", "の", "味道"]),
            ("点击视频下方链接ロ", ["点击", "视频", "下方", "链接"]),
            ("无料体验发卖中|点击视频下方链接|免费领取课程ヨヨ", ["点击", "视频", "下方", "链接"]),
        ],
    )
    def test_chinese_with_few_kana_stays_with_jieba(self, text, chinese):
        found = tokenize(text, "word")
        assert [word for word in chinese if word in found] == chinese
        without = "".join(c for c in text if not "\u3041" <= c <= "\u30ff")
        assert [w for w in found if not "\u3041" <= w[0] <= "\u30ff"] == tokenize(without, "word")

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


def test_an_emoji_changes_no_other_word_where_ideographs_are_repeated() -> None:
    """The sign of repetition tells Japanese apart, whatever else stands in the text."""
    plain = tokenize("人々的美好生活", "word")
    assert tokenize("人々的美好生活🔥", "word") == [*plain, "🔥"]
