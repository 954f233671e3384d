"""The look of demo films: their size, length, traces of tags and sound."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from competition.demo.draw import draw_plan
from competition.demo.look import draw_look, film_seconds, film_size
from competition.demo.plan import AdPlan


def test_length_of_films_grows_with_the_plan_from_3_to_8_seconds() -> None:
    seconds = [film_seconds(planned) for planned in np.linspace(6, 80, 50)]
    assert all(short < long for short, long in pairwise(seconds))
    assert 3 <= seconds[0] < seconds[-1] <= 8


def test_films_keep_the_order_and_the_shape_of_the_planned_sizes() -> None:
    wide, tall = ((960, 540), (1280, 720), (1920, 1080)), ((540, 960), (720, 1280), (1080, 1920))
    for sizes in (wide, tall):
        films = [film_size(*size) for size in sizes]
        assert films == sorted(films)
        for (w, h), (film_w, film_h) in zip(sizes, films, strict=True):
            assert film_w / film_h == pytest.approx(w / h, rel=0.01)
    assert film_size(720, 720)[0] == film_size(720, 720)[1] < film_size(1080, 1080)[0]


def some_looks(n: int) -> Iterator[tuple[AdPlan, frozenset[str], frozenset[str], str]]:
    for index in range(n):
        plan = draw_plan(0, "train", index)
        look = draw_look(plan)
        yield plan, look.seen, look.heard, look.sound


def test_traces_follow_tags_but_not_always() -> None:
    looks = list(some_looks(400))
    for sense, tag, hit, false in ((1, "填充", 0.8, 0.1), (2, "愤怒", 0.65, 0.04)):
        with_tag = [tag in look[sense] for look in looks if tag in look[0].tags]
        without = [tag in look[sense] for look in looks if tag not in look[0].tags]
        assert np.mean(with_tag) == pytest.approx(hit, abs=0.15)
        assert np.mean(without) == pytest.approx(false, abs=0.05)


def test_a_few_films_are_silent_and_a_few_have_no_sound_stream() -> None:
    sounds = [sound for *_, sound in some_looks(400)]
    assert 0.01 < sounds.count("none") / 400 < 0.06
    assert 0.002 < sounds.count("silence") / 400 < 0.05
