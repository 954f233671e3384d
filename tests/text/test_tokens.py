"""Texts are cut to their first, or first and last, tokens; special tokens stay around them."""

import pytest
from transformers import AutoTokenizer

from competition.text.tokens import encode, padded

CLS, SEP = 2, 3


@pytest.fixture(scope="module")
def tokenizer(tiny_bert):
    return AutoTokenizer.from_pretrained(tiny_bert)


def words(*numbers: int) -> list[int]:
    """Ids of the words w0, w1, ...."""
    return [4 + number for number in numbers]


@pytest.mark.parametrize(
    ("max_tokens", "keep", "expected"),
    [
        (6, "first", words(0, 1, 2, 3, 4, 5)),
        (4, "first", words(0, 1, 2, 3)),
        (4, "first_last", words(0, 1, 4, 5)),
        (5, "first_last", words(0, 1, 2, 4, 5)),
        (6, "first_last", words(0, 1, 2, 3, 4, 5)),
        (1, "first_last", words(0)),
    ],
)
def test_text_is_cut(tokenizer, max_tokens, keep, expected):
    assert encode(tokenizer, ["w0 w1 w2 w3 w4 w5"], max_tokens, keep) == [[CLS, *expected, SEP]]


def test_each_text_is_cut_by_itself(tokenizer):
    ids = encode(tokenizer, ["w0 w1 w2", "", "w7"], 2, "first")
    assert ids == [[CLS, *words(0, 1), SEP], [CLS, SEP], [CLS, *words(7), SEP]]


def test_unknown_words_are_no_special_tokens(tokenizer):
    assert encode(tokenizer, ["x y w1"], 2, "first_last") == [[CLS, 1, *words(1), SEP]]


def test_no_texts_give_no_tokens(tokenizer):
    assert encode(tokenizer, [], 4, "first") == []


def test_text_longer_than_the_tokenizer_allows_is_cut_alike(tokenizer):
    text = " ".join(f"w{i % 20}" for i in range(400))
    assert encode(tokenizer, [text], 3, "first_last") == [[CLS, *words(0, 1, 19), SEP]]


def test_short_rows_are_filled_up_and_masked():
    ids, mask = padded([[5, 6, 7], [8]], pad=9, most=99)
    assert ids[:, :4].tolist() == [[5, 6, 7, 9], [8, 9, 9, 9]]
    assert mask[:, :4].tolist() == [[1, 1, 1, 0], [1, 0, 0, 0]]
    assert mask[:, 4:].sum() == 0


@pytest.mark.parametrize(("longest", "length"), [(1, 16), (16, 16), (17, 32)])
def test_few_lengths_occur(longest, length):
    assert padded([[5] * longest], pad=0, most=99)[0].shape == (1, length)
