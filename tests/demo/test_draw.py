"""Plans of demo ads: tags as in the real ads, shots that show them."""

import numpy as np
import pandas as pd
import pytest

from competition.demo.content import load_content
from competition.demo.draw import FRAMINGS, INSERTS, draw_plan
from tests.demo.made_demo import N_ADS, TRUTHS


def test_train_and_test_ads_come_from_one_distribution():
    tags = load_content().tags
    drawn = {split: [draw_plan(0, split, i).tags for i in range(250)] for split in TRUTHS}
    shares = [[np.mean([tag in ad for ad in ads]) for tag in tags] for ads in drawn.values()]
    # Five standard errors of a difference between two shares of 250 ads.
    assert np.abs(np.subtract(*shares)).max() < 5 * np.sqrt(2 * 0.25 / 250)


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


def test_tags_go_together_as_in_the_real_ads(plans):
    has = pd.DataFrame([{tag: True for tag in plan.tags} for plan in plans]).notna()
    correlation = has.astype(float).corr()
    assert correlation.loc["单人口播", "多人情景剧"] < -0.2
    assert correlation.loc["场景-其他", "配音"] > 0.2
    assert correlation.loc["亲子", "家庭伦理"] > 0.15
    assert correlation.loc["办公室", "工作职场"] > 0.2
    assert correlation.loc["现代", "古代"] < -0.3


def test_some_ads_are_spoken_or_written_like_another_scenario(plans):
    assert 0.05 < np.mean([plan.speech_scenario != plan.scenario for plan in plans]) < 0.25
    assert 0.02 < np.mean([plan.caption_scenario != plan.scenario for plan in plans]) < 0.15


def test_every_visible_tag_is_seen_in_some_shot(plans):
    dimensions = load_content().dimensions
    for plan in plans:
        shown = {value for shot in plan.shots for value in (shot.place, shot.framing, shot.insert)}
        visible = {tag for tag in plan.tags if dimensions[tag] == "scene"}
        assert visible | (set(plan.tags) & {*FRAMINGS, *INSERTS}) == shown - {""}


def test_shots_add_up_to_the_duration(plans):
    for plan in plans:
        assert sum(shot.seconds for shot in plan.shots) == pytest.approx(
            plan.format.duration, abs=0.3
        )


def test_every_spoken_line_has_a_speaker(plans):
    for plan in plans:
        assert {line.speaker for line in plan.speech} == set(range(len(plan.speakers)))
