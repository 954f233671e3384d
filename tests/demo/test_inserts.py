"""Inserts of demo films."""

from random import Random

import numpy as np
import pytest

from competition.demo.canvas import Canvas
from competition.demo.draw import FRAMINGS, INSERTS
from competition.demo.inserts import draw_goods, draw_insert


@pytest.mark.parametrize("insert", INSERTS)
def test_every_insert_moves(insert: str) -> None:
    pictures = []
    for progress in (0.0, 1.0):
        canvas = Canvas(64, 96)
        draw_insert(canvas, insert, Random(0), progress)
        pictures.append(canvas.pixels().astype(int))
    assert np.abs(pictures[1] - pictures[0]).max() > 50


def test_closer_framing_shows_larger_goods() -> None:
    covered = []
    for framing in ("全景", "中景", "特写", "极端特写"):
        canvas = Canvas(90, 90)
        draw_goods(canvas, framing, Random(0), 0.5)
        covered.append(np.count_nonzero(canvas.pixels().any(axis=2)))
    assert set(FRAMINGS) == {"全景", "中景", "特写", "极端特写"}
    assert covered == sorted(covered)
