"""Counting terms, against plain counting."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from competition.text.terms import TermsSpec, extract_terms
from competition.text.words import tokenize
from competition.utils.errors import ProfileError


def counted_plainly(text, spec):
    """N-grams of a text, counted in plain Python."""
    shortest, longest = spec.ngram_range
    counts = Counter()
    for segment in text.split("|"):
        tokens = tokenize(segment, spec.analyzer)
        for n in range(shortest, longest + 1):
            counts.update(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))
    return counts


class TestExtractTerms:
    @settings(deadline=None, max_examples=100)
    @given(
        st.lists(st.sampled_from(["你好", "课程", "ab", "9.9", " ", "|"]), max_size=20).map(
            "".join
        ),
        st.sampled_from(
            [
                TermsSpec(),
                TermsSpec("word", (2, 3)),
                TermsSpec("word", (1, 1)),
                TermsSpec("word", (3, 5)),
            ]
        ),
    )
    def test_counts_are_those_of_plain_counting(self, text, spec):
        (terms,) = extract_terms([text], spec)
        assert sorted(terms[:, 1]) == sorted(counted_plainly(text, spec).values())

    def test_terms_are_ascending_unique_int64(self):
        (terms,) = extract_terms(["今天 看 电影 今天 看 书"], TermsSpec())
        assert terms.dtype == np.int64
        assert (np.diff(terms[:, 0]) > 0).all()

    def test_a_text_does_not_depend_on_its_neighbours(self):
        texts = ["买一送一|点击下方", "hello world", "", "点击下方链接"]
        together = extract_terms(texts, TermsSpec())
        for text, terms in zip(texts, together, strict=True):
            np.testing.assert_array_equal(terms, extract_terms([text], TermsSpec())[0])

    @pytest.mark.parametrize("separator", ["|", "。", "，", "\n", "! ", ". "])
    def test_no_pair_spans_two_segments(self, separator):
        (apart,) = extract_terms([f"alpha{separator}beta"], TermsSpec("word", (2, 2)))
        assert apart.shape == (0, 2)

    def test_the_order_of_a_pair_matters(self):
        ab, ba = extract_terms(["alpha beta", "beta alpha"], TermsSpec("word", (2, 2)))
        assert ab[0, 0] != ba[0, 0]

    def test_case_and_width_do_not_matter(self):
        plain, other = extract_terms(["vip课程", "ＶＩＰ课程"], TermsSpec())
        np.testing.assert_array_equal(plain, other)

    def test_no_two_words_of_a_dictionary_share_a_hash(self):
        words = [f"w{number}" for number in range(50_000)]
        (terms,) = extract_terms([" ".join(words)], TermsSpec())
        assert len(terms) == 2 * len(words) - 1

    @pytest.mark.parametrize("text", ["a sunny day, a rainy night", "点击下方链接 我是 一", ""])
    @pytest.mark.parametrize("characters", [(3, 5), (1, 2)])
    def test_both_are_the_words_and_the_characters(self, text, characters):
        (both,) = extract_terms([text], TermsSpec("both", characters))
        (words,) = extract_terms([text], TermsSpec("word", (1, 2)))
        (chars,) = extract_terms([text], TermsSpec("char", characters))
        expected = Counter(dict(map(tuple, words.tolist())))
        expected.update(dict(map(tuple, chars.tolist())))
        assert dict(map(tuple, both.tolist())) == expected
        assert (np.diff(both[:, 0]) > 0).all()

    def test_hashes_are_the_same_in_another_process(self):
        code = (
            "from competition.text.terms import *;"
            "print(extract_terms(['领取 vip 课程'], TermsSpec())[0].tolist())"
        )
        run = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": "7"},
            cwd=Path(__file__).parents[2],
        )
        here = extract_terms(["领取 vip 课程"], TermsSpec())[0].tolist()
        assert json.loads(run.stdout) == here


class TestTermsSpec:
    @pytest.mark.parametrize(
        ("analyzer", "ngram_range", "message"),
        [
            ("words", (1, 2), "There is no text analyzer 'words'"),
            ("word", (0, 2), r"ngram_range is \(0, 2\)"),
            ("word", (3, 2), r"ngram_range is \(3, 2\)"),
            ("word", (1,), r"ngram_range is \(1,\)"),
        ],
    )
    def test_what_cannot_be_counted_is_refused(self, analyzer, ngram_range, message):
        with pytest.raises(ProfileError, match=message):
            TermsSpec(analyzer, ngram_range)

    def test_a_list_from_a_profile_is_as_good_as_a_tuple(self):
        assert TermsSpec("word", [1, 2]) == TermsSpec("word", (1, 2))

    def test_each_analyzer_has_its_default_range(self):
        assert TermsSpec.of("char") == TermsSpec("char", (1, 3))
