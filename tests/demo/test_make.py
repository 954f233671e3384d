import json
import re
from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from competition.datasets import load_dataset
from competition.demo import make as demo
from competition.demo import noise as demo_noise
from competition.demo.content import TAGS_FILE, Template, load_content, pick_weighted
from competition.demo.draw import FRAMINGS, INSERTS, draw_plan
from competition.demo.make import make_demo
from competition.demo.noise import mishear, misread, render_texts, spoken_number
from competition.submission.score import read_truth as read_tags
from competition.utils.errors import DatasetError

N_ADS = 300
TEXTS = "tagging/tagging_dataset_{}_5k/text_txt/tagging"
TRUTHS = {"train": "tagging/GroundTruth/tagging_info.txt", "test": "truth/tagging_info.txt"}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("demo") / "ads"
    make_demo(root, N_ADS, seed=3, films=False)
    return root


@pytest.fixture(scope="module")
def plans():
    return [draw_plan(3, "train", index) for index in range(N_ADS)]


def all_bytes(root):
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def read_truth(root, split):
    rows = [line.split("\t") for line in (root / TRUTHS[split]).read_text("utf-8").splitlines()]
    return {name: tags.split(",") for name, tags in rows}


def read_texts(root, split):
    return [
        json.loads(path.read_bytes()) for path in sorted((root / TEXTS.format(split)).iterdir())
    ]


def test_same_seed_writes_the_same_bytes(tmp_path):
    make_demo(tmp_path / "a", 20, seed=5, films=False)
    make_demo(tmp_path / "b", 20, seed=5, films=False)
    assert all_bytes(tmp_path / "a") == all_bytes(tmp_path / "b")


def test_another_seed_writes_other_ads(tmp_path):
    make_demo(tmp_path / "a", 10, seed=5, films=False)
    make_demo(tmp_path / "b", 10, seed=6, films=False)
    assert not set(read_truth(tmp_path / "a", "train")) & set(read_truth(tmp_path / "b", "train"))


def test_fewer_ads_are_the_first_of_more(root, tmp_path):
    make_demo(tmp_path / "few", 15, seed=3, films=False)
    few, many = all_bytes(tmp_path / "few"), all_bytes(root)
    ads = [name for name in few if "text_txt" in name]
    assert len(ads) == 15 + 3
    assert all(many[name] == few[name] for name in ads)
    for truth in TRUTHS.values():
        assert many[truth].startswith(few[truth])


@pytest.mark.parametrize(("split", "expected"), [("train", N_ADS), ("test", N_ADS // 5)])
def test_every_ad_has_tags_and_a_text_file_under_its_id(root, split, expected):
    names = list(read_truth(root, split))
    assert len(set(names)) == expected
    assert all(re.fullmatch(r"[0-9a-f]{32}\.mp4", name) for name in names)
    files = {path.name for path in (root / TEXTS.format(split)).iterdir()}
    assert files == {name.replace(".mp4", ".txt") for name in names}


def test_text_files_hold_two_strings_without_line_breaks(root):
    for text in read_texts(root, "train"):
        assert set(text) == {"video_ocr", "video_asr"}
        assert all(isinstance(value, str) and "\n" not in value for value in text.values())


def test_train_and_test_ads_differ(root):
    assert not set(read_truth(root, "train")) & set(read_truth(root, "test"))


def test_train_and_test_ads_come_from_one_distribution():
    tags = load_content().tags
    drawn = {split: [draw_plan(0, split, i).tags for i in range(250)] for split in TRUTHS}
    shares = [[np.mean([tag in ad for ad in ads]) for tag in tags] for ads in drawn.values()]
    # Five standard errors of a difference between two shares of 250 ads.
    assert np.abs(np.subtract(*shares)).max() < 5 * np.sqrt(2 * 0.25 / 250)


def test_tags_are_the_competitions_own_from_all_dimensions(root):
    rows = [line.split("\t") for line in (root / "label_id.txt").read_text("utf-8").splitlines()]
    known = pd.read_csv(TAGS_FILE).set_index("tag")["dimension"]
    assert [int(number) for _, number in rows] == list(range(len(rows)))
    assert 24 <= len(rows) <= 40
    assert set(known[[tag for tag, _ in rows]]) == set(known)


def test_every_tag_occurs_and_no_other(root):
    listed = {line.split("\t")[0] for line in (root / "label_id.txt").read_text().splitlines()}
    assert {tag for tags in read_truth(root, "train").values() for tag in tags} == listed


def test_tag_frequencies_are_as_uneven_as_the_real_ones(plans):
    share = pd.Series([tag for plan in plans for tag in plan.tags]).value_counts() / N_ADS
    assert share["现代"] > 0.95
    assert share["推广页"] > 0.85
    assert 0.3 < share["单人口播"] < 0.65
    assert share[["古代", "采访", "游戏画面", "医院"]].max() < 0.06


def test_most_ads_have_6_to_20_tags_and_about_12(plans):
    counts = np.array([len(plan.tags) for plan in plans])
    assert np.mean((counts >= 6) & (counts <= 20)) > 0.97
    assert 10.5 <= np.median(counts) <= 13


def test_expected_share_of_each_tag_is_the_one_asked_for():
    content = load_content()
    mean = np.zeros(len(content.tags))
    for (scenario, form, mood), chances in content.probabilities.items():
        entry = content.scenarios[scenario]
        weight = entry.weight * entry.formats[form] * content.mood_weights[form][mood]
        mean += weight * np.array(chances)
    asked = dict(zip(content.tags, mean, strict=True))
    assert asked["现代"] == pytest.approx(0.985, abs=1e-4)
    assert asked["静态"] == pytest.approx(0.80, abs=1e-4)
    assert asked["采访"] == pytest.approx(0.018, abs=1e-4)


def test_tags_go_together_as_in_the_real_ads(plans):
    has = pd.DataFrame([{tag: True for tag in plan.tags} for plan in plans]).notna()
    correlation = has.astype(float).corr()
    assert correlation.loc["单人口播", "多人情景剧"] < -0.2
    assert correlation.loc["场景-其他", "配音"] > 0.2
    assert correlation.loc["亲子", "家庭伦理"] > 0.15
    assert correlation.loc["办公室", "工作职场"] > 0.2
    assert correlation.loc["现代", "古代"] < -0.3


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


def test_some_ads_are_spoken_or_written_like_another_scenario(plans):
    assert 0.05 < np.mean([plan.speech_scenario != plan.scenario for plan in plans]) < 0.25
    assert 0.02 < np.mean([plan.caption_scenario != plan.scenario for plan in plans]) < 0.15


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


def test_every_visible_tag_is_seen_in_some_shot(plans):
    dimensions = load_content().dimensions
    for plan in plans:
        shown = {value for shot in plan.shots for value in (shot.place, shot.framing, shot.insert)}
        visible = {tag for tag in plan.tags if dimensions[tag] == "scene"}
        assert visible | (set(plan.tags) & {*FRAMINGS, *INSERTS}) == shown - {""}


def test_shots_add_up_to_the_duration(plans):
    for plan in plans:
        assert sum(shot.seconds for shot in plan.shots) == pytest.approx(
            plan.metadata.duration, abs=0.3
        )


def test_every_spoken_line_has_a_speaker(plans):
    for plan in plans:
        assert {line.speaker for line in plan.speech} == set(range(len(plan.speakers)))


def test_every_template_of_a_scenario_can_be_filled():
    content = load_content()
    for scenario in content.scenarios.values():
        slots = set(content.slots) | set(scenario.slots)
        for part in (scenario.lines, scenario.captions):
            for template in (line for lines in part.values() for line in lines):
                assert template.slot_names() <= slots, scenario.name


def test_template_fills_slots_inside_choices():
    template = Template.parse("只要{price}元，{{n}节/{n}天}")
    filled = {template.fill({"price": "9", "n": "3"}, Random(seed)) for seed in range(20)}
    assert filled == {"只要9元，3节", "只要9元，3天"}


@pytest.mark.parametrize("text", ["{price", "price}", "{a/{b}"])
def test_template_with_unmatched_braces_is_refused(text):
    with pytest.raises(DatasetError, match="never"):
        Template.parse(text)


def test_pick_weighted_follows_the_weights():
    rng = Random(0)
    draws = [pick_weighted(rng, {"a": 0.2, "b": 0.5, "c": 0.3}) for _ in range(5000)]
    assert draws.count("b") / 5000 == pytest.approx(0.5, abs=0.03)


def test_demo_made_with_the_same_settings_is_left_as_it_is(tmp_path):
    make_demo(tmp_path / "ads", 10, films=False)
    (tmp_path / "ads" / "label_id.txt").write_text("touched")
    make_demo(tmp_path / "ads", 10, films=False)
    assert (tmp_path / "ads" / "label_id.txt").read_text() == "touched"


def test_demo_made_with_other_settings_is_replaced(tmp_path):
    make_demo(tmp_path / "ads", 12, films=False)
    make_demo(tmp_path / "ads", 10, films=False)
    assert len(read_truth(tmp_path / "ads", "train")) == 10
    assert json.loads((tmp_path / "ads" / "demo.json").read_text()) == {
        "ads": 10,
        "films": False,
        "seed": 0,
        "version": 2,
    }


def test_dataset_is_called_demo_and_knows_the_truth_of_its_test_ads(root):
    dataset = load_dataset(root)
    assert dataset.name == "demo"
    truth = read_tags(dataset.truth, dataset)
    assert set(truth.of) == set(dataset.test_ids)


def test_ads_made_before_dataset_json_are_kept_and_get_one(tmp_path):
    make_demo(tmp_path / "ads", 10, films=False)
    complete = all_bytes(tmp_path)
    (tmp_path / "ads" / "dataset.json").unlink()
    made = (tmp_path / "ads").stat().st_ino
    make_demo(tmp_path / "ads", 10, films=False)
    assert all_bytes(tmp_path) == complete
    assert (tmp_path / "ads").stat().st_ino == made


def test_demo_of_an_earlier_version_is_replaced(tmp_path):
    (tmp_path / "ads").mkdir()
    (tmp_path / "ads" / "demo.json").write_text('{"ads": 10, "seed": 0, "version": 1}')
    make_demo(tmp_path / "ads", 10, films=False)
    assert len(read_truth(tmp_path / "ads", "train")) == 10


def test_empty_folder_is_filled(tmp_path):
    (tmp_path / "ads").mkdir()
    make_demo(tmp_path / "ads", 10, films=False)
    assert (tmp_path / "ads" / "demo.json").is_file()


@pytest.mark.parametrize("stamp", [None, "no json", '["ads"]', '{"name": "mine"}'])
def test_folder_with_anything_else_is_refused_and_left_alone(tmp_path, stamp):
    (tmp_path / "precious.txt").write_text("mine")
    if stamp is not None:
        (tmp_path / "demo.json").write_text(stamp)
    before = all_bytes(tmp_path)
    with pytest.raises(DatasetError, match="Name another folder"):
        make_demo(tmp_path, 10, films=False)
    assert all_bytes(tmp_path) == before


def test_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "ads").write_text("a file")
    with pytest.raises(DatasetError, match="is a file"):
        make_demo(tmp_path / "ads", 10, films=False)


@pytest.mark.parametrize(("n_ads", "seed"), [(9, 0), (0, 0), (10, -1)])
def test_impossible_settings_are_refused(tmp_path, n_ads, seed):
    with pytest.raises(DatasetError):
        make_demo(tmp_path / "ads", n_ads, seed, films=False)


def fail_at_test_ads(seed, split, index):
    if split == "test":
        raise KeyboardInterrupt
    return draw_plan(seed, split, index)


def test_crash_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "draw_plan", fail_at_test_ads)
    with pytest.raises(KeyboardInterrupt):
        make_demo(tmp_path / "ads", 10, films=False)
    assert list(tmp_path.iterdir()) == []


def test_crash_while_replacing_leaves_the_old_ads(tmp_path, monkeypatch):
    make_demo(tmp_path / "ads", 12, films=False)
    before = all_bytes(tmp_path)
    monkeypatch.setattr(demo, "draw_plan", fail_at_test_ads)
    with pytest.raises(KeyboardInterrupt):
        make_demo(tmp_path / "ads", 10, films=False)
    assert all_bytes(tmp_path) == before


def test_confusions_never_map_a_character_to_itself():
    confusions = demo_noise.load_confusions()
    for others in (confusions.alike, confusions.homophones):
        assert all(value and key not in value for key, value in others.items())
