"""The texts of demo ads, as OCR and ASR would write them."""

import re
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from competition.demo.draw import draw_plan
from competition.demo.texts import load_confusions, mishear, misread, render_texts, spoken_number
from tests.demo.made_demo import N_ADS, read_texts


def test_texts_hardly_ever_repeat(root):
    texts = read_texts(root, "train")
    for name in ("video_ocr", "video_asr"):
        assert len({text[name] for text in texts}) > 0.85 * N_ADS


def test_text_lengths_are_like_the_real_ones(root):
    texts = read_texts(root, "train")
    assert 250 < np.median([len(text["video_ocr"]) for text in texts]) < 450
    assert 150 < np.median([len(text["video_asr"]) for text in texts]) < 250


def test_either_text_is_empty_now_and_then_and_both_rarely():
    texts = [render_texts(draw_plan(0, "train", index)) for index in range(700)]
    empty = np.array([[text == "" for text in pair] for pair in texts])
    assert (empty.mean(axis=0) > 0.002).all()
    assert (empty.mean(axis=0) < 0.04).all()
    assert empty.all(axis=1).mean() < 0.01


def test_ocr_reads_the_same_brand_in_several_ways(plans):
    def variants(plan):
        pieces = set(render_texts(plan)[0].split("|"))
        likely = {p for p in pieces if len(set(p) & set(plan.product)) >= 2 and len(p) <= 6}
        return len(likely - {plan.product})

    branded = [plan for plan in plans if any(line.kind == "brand" for line in plan.captions)]
    assert np.mean([variants(plan) >= 2 for plan in branded]) > 0.5


def test_ocr_writes_numbers_as_digits_and_asr_as_words(root):
    texts = read_texts(root, "train")
    assert np.mean([bool(re.search(r"\d+节|\d元|\d+名", t["video_ocr"])) for t in texts]) > 0.3
    assert not any(re.search(r"\d", text["video_asr"]) for text in texts)
    assert (
        np.mean([bool(re.search("[一二三四五六七八九十]元", t["video_asr"])) for t in texts]) > 0.2
    )


def test_asr_has_latin_words_in_capitals_only(root):
    assert not any(re.search("[a-z]", text["video_asr"]) for text in read_texts(root, "train"))


def test_buttons_of_an_app_are_written_but_not_spoken(root):
    texts = read_texts(root, "train")
    assert any("验证码" in text["video_ocr"] for text in texts)
    assert not any("验证码" in text["video_asr"] for text in texts)


def test_cries_of_anger_are_spoken_but_not_written(root):
    texts = read_texts(root, "train")
    assert any("气死我了" in text["video_asr"] for text in texts)
    assert not any("气死我了" in text["video_ocr"] for text in texts)


@given(
    text=st.text(alphabet="课程元买0158真好啊", min_size=1, max_size=12), seed=st.integers(0, 9999)
)
def test_misread_never_makes_a_text_longer(text, seed):
    assert len(misread(text, Random(seed))) <= len(text)


def test_misread_takes_characters_for_similar_ones():
    readings = {misread("土", Random(seed)) for seed in range(60)}
    assert {"士", "工"} <= readings


def test_mishear_takes_characters_for_homophones_and_drops_others():
    heard = {mishear("他在做题", 0.5, Random(seed)) for seed in range(200)}
    assert any(len(text) < 4 for text in heard)
    assert any(len(text) == 4 and text[0] in "她它" for text in heard)


def test_mishear_without_damage_only_spells_out():
    assert mishear("学Python只要9.9元", 0.0, Random(0)) == "学PYTHON只要九点九元"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("0", "零"),
        ("10", "十"),
        ("15", "十五"),
        ("49", "四十九"),
        ("110", "一百一十"),
        ("105", "一百零五"),
        ("1280", "一千二百八十"),
        ("2005", "二千零五"),
        ("12000", "一万二千"),
        ("10500", "一万零五百"),
        ("8.8", "八点八"),
        ("30%", "百分之三十"),
        ("09", "零九"),
    ],
)
def test_spoken_number(number, said):
    assert spoken_number(number) == said


def test_confusions_never_map_a_character_to_itself():
    confusions = load_confusions()
    for others in (confusions.alike, confusions.homophones):
        assert all(value and key not in value for key, value in others.items())
