"""Near-duplicate lines are merged, the surest reading kept; others stay apart, in order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competition.features.ocr_lines import SAME, Line, merge_lines, similarity

TEXTS = st.text(alphabet="abcd", min_size=1, max_size=12)


def merged(*frames: list[tuple[str, float]]) -> list[str]:
    return merge_lines([Line(*line) for line in frame] for frame in frames)


def test_line_that_stays_on_show_is_kept_once():
    assert merged([("买一送一", 0.9)], [("买一送一", 0.8)], [("买一送一", 0.9)]) == ["买一送一"]


def test_surest_reading_of_a_line_is_kept_in_its_place():
    frames = (
        [("今天特价包邮", 0.7), ("其他", 0.9)],
        [("今夭特价包邮", 0.6)],
        [("今天特价包邮!", 0.95)],
    )
    assert merged(*frames) == ["今天特价包邮!", "其他"]


def test_case_and_spaces_make_no_other_line():
    assert merged([("Only  Today", 0.9)], [("ONLYTODAY", 0.8)]) == ["Only Today"]


def test_short_lines_must_be_equal():
    assert merged([("甲乙丙丁", 0.9), ("甲乙丙戊", 0.9)]) == ["甲乙丙丁", "甲乙丙戊"]


def test_lines_come_in_the_order_they_first_appear():
    assert merged([("a first", 0.5)], [("the second", 0.9), ("a first", 0.9)], [("more", 1.0)]) == [
        "a first",
        "the second",
        "more",
    ]


def test_separator_within_a_line_becomes_a_space():
    assert merged([("a|b", 0.9), ("|", 0.9), (" ", 0.9)]) == ["a b"]


def test_no_frames_give_no_lines():
    assert merged() == merged([], []) == []


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [("abcde", "abcde", 1.0), ("abcde", "abcdx", 0.8), ("abcdefghij", "abcdefghi", 0.9)],
)
def test_similarity_of_known_texts(a, b, expected):
    assert similarity(a, b) == pytest.approx(expected)


def levenshtein(a: str, b: str) -> int:
    """By its recursive definition."""
    if not a or not b:
        return len(a) + len(b)
    if a[0] == b[0]:
        return levenshtein(a[1:], b[1:])
    return 1 + min(levenshtein(a[1:], b), levenshtein(a, b[1:]), levenshtein(a[1:], b[1:]))


@given(st.text(alphabet="abc", min_size=1, max_size=6), st.text(alphabet="abc", max_size=6))
def test_similarity_is_that_of_levenshtein_where_it_counts(a, b):
    exact = 1 - levenshtein(a, b) / max(len(a), len(b))
    assert (similarity(a, b) >= SAME) == (exact >= SAME)
    if exact >= SAME:
        assert similarity(a, b) == pytest.approx(exact)


@given(st.lists(st.lists(st.tuples(TEXTS, st.floats(0, 1)), max_size=4), max_size=4))
def test_merging_what_is_merged_loses_no_line_seen_alone(frames):
    once = merged(*frames)
    assert set(once) <= {text for frame in frames for text, _ in frame}
    assert bool(once) == any(frames)
