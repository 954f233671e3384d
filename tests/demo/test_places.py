"""Backdrops of demo films."""

from random import Random

from competition.demo.canvas import Canvas
from competition.demo.content import load_content
from competition.demo.look import PLACES
from competition.demo.places import draw_place


def test_every_scene_tag_has_a_backdrop_of_its_own() -> None:
    scenes = {tag for tag, dimension in load_content().dimensions.items() if dimension == "scene"}
    assert set(PLACES) == scenes
    drawn = set()
    for place in PLACES:
        canvas = Canvas(64, 64)
        draw_place(canvas, place, Random(0), ancient=False)
        drawn.add(canvas.pixels().tobytes())
    assert len(drawn) == len(PLACES)
