"""The wording and the tag odds of demo ads."""

from random import Random

import numpy as np
import pytest

from competition.demo.content import Template, load_content, pick_weighted
from competition.utils.errors import DatasetError


def test_expected_share_of_each_tag_is_the_one_of_the_data():
    content = load_content()
    mean = np.zeros(len(content.tags))
    for (scenario, form, mood), chances in content.probabilities.items():
        entry = content.scenarios[scenario]
        weight = entry.weight * entry.formats[form] * content.mood_weights[form][mood]
        mean += weight * np.array(chances)
    expected = dict(zip(content.tags, mean, strict=True))
    assert expected["现代"] == pytest.approx(0.985, abs=1e-4)
    assert expected["静态"] == pytest.approx(0.80, abs=1e-4)
    assert expected["采访"] == pytest.approx(0.018, abs=1e-4)


def test_every_template_of_a_scenario_can_be_filled():
    content = load_content()
    for scenario in content.scenarios.values():
        slots = set(content.slots) | set(scenario.slots)
        for section in (scenario.lines, scenario.captions):
            for template in (line for lines in section.values() for line in lines):
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
