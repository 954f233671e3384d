"""Places of demo films: one backdrop per tag of a place."""

from collections.abc import Callable
from math import sin
from random import Random

from competition.demo.canvas import Canvas, darker, hsv, mixed, near


def draw_place(canvas: Canvas, place: str, rng: Random, ancient: bool) -> None:
    """Draw a backdrop; the same state of `rng` draws the same one.

    Parameters
    ----------
    canvas : Canvas
    place : str
        A tag of the dimension "scene".
    rng : Random
    ancient : bool
        Whether the ad plays in ancient times.
    """
    if ancient:
        _palace(canvas, rng, outdoors=place == "室外")
    else:
        _PLACES[place](canvas, rng)


def _anything(canvas: Canvas, rng: Random) -> None:
    """An abstract ground: stripes or discs in random colours."""
    ground = near(rng, rng.random(), 0.45, 0.75)
    second = near(rng, rng.random(), 0.35, 0.85)
    canvas.fade(0, 1, ground, second)
    tone = mixed(ground, (255, 255, 255), 0.25)
    if rng.random() < 0.5:
        for rank in range(7):
            left = rank / 5 - 0.4
            canvas.polygon([(left, 1), (left + 0.09, 1), (left + 0.49, 0), (left + 0.4, 0)], tone)
    else:
        for _ in range(9):
            canvas.disc(rng.random(), rng.random(), 0.04 + 0.1 * rng.random(), tone)


def _room(canvas: Canvas, rng: Random) -> None:
    """Somewhere indoors: plain wall, door, shelf."""
    wall, floor = near(rng, 0.14, 0.09, 0.82), near(rng, 0.08, 0.18, 0.58)
    canvas.box(0, 0, 1, 0.74, wall)
    canvas.box(0, 0.74, 1, 1, floor)
    canvas.box(0, 0.725, 1, 0.745, darker(wall))
    side = 0.08 if rng.random() < 0.5 else 0.7
    canvas.box(side, 0.2, side + 0.22, 0.74, near(rng, 0.07, 0.35, 0.62))
    canvas.disc(side + 0.19, 0.48, 0.015, (210, 190, 120))
    shelf = 0.45 if side < 0.5 else 0.06
    for row in range(3):
        top = 0.2 + 0.13 * row
        left = shelf
        while left < shelf + 0.3:
            width = 0.02 + 0.02 * rng.random()
            canvas.box(left, top, left + width, top + 0.1, near(rng, rng.random(), 0.35, 0.6))
            left += width + 0.004
        canvas.box(shelf - 0.01, top + 0.1, shelf + 0.34, top + 0.118, (120, 92, 64))


def _home(canvas: Canvas, rng: Random) -> None:
    """Warm wall, window with curtains, sofa, lamp."""
    wall, floor = near(rng, 0.085, 0.33, 0.9), near(rng, 0.065, 0.52, 0.52)
    canvas.box(0, 0, 1, 0.72, wall)
    canvas.box(0, 0.72, 1, 1, floor)
    for rank in range(1, 6):
        canvas.line([(0, 0.72 + 0.05 * rank), (1, 0.72 + 0.05 * rank)], darker(floor, 0.88), 0.006)
    window = 0.08 + 0.1 * rng.random()
    canvas.box(window, 0.12, window + 0.34, 0.46, (250, 250, 246))
    canvas.box(window + 0.015, 0.13, window + 0.325, 0.45, near(rng, 0.55, 0.25, 0.95))
    canvas.box(window + 0.165, 0.12, window + 0.175, 0.46, (250, 250, 246))
    curtain = near(rng, rng.random(), 0.45, 0.75)
    for left in (window - 0.06, window + 0.3):
        canvas.box(left, 0.08, left + 0.1, 0.6, curtain)
        for fold in range(3):
            canvas.box(left + 0.03 * fold, 0.08, left + 0.03 * fold + 0.008, 0.6, darker(curtain))
    sofa = near(rng, rng.random(), 0.5, 0.6)
    canvas.round_box(0.36, 0.55, 1.05, 0.9, sofa, 0.06)
    canvas.round_box(0.44, 0.68, 1.05, 0.9, darker(sofa, 1.15), 0.04)
    canvas.box(0.86, 0.25, 0.875, 0.6, (90, 70, 50))
    canvas.polygon([(0.8, 0.3), (0.94, 0.3), (0.91, 0.17), (0.83, 0.17)], (255, 236, 176))


def _outdoors(canvas: Canvas, rng: Random) -> None:
    """Sky, houses or trees, road or grass."""
    canvas.fade(0, 0.66, near(rng, 0.57, 0.5, 0.9), near(rng, 0.55, 0.15, 0.97))
    if rng.random() < 0.6:
        canvas.disc(0.15 + 0.7 * rng.random(), 0.1, 0.06, (255, 248, 205))
    urban = rng.random() < 0.5
    left = -0.05
    while left < 1:
        width = 0.1 + 0.14 * rng.random()
        top = 0.22 + 0.22 * rng.random()
        if urban:
            house = near(rng, 0.6, 0.12, 0.6)
            canvas.box(left, top, left + width, 0.66, house)
            for row in range(5):
                for column in range(3):
                    x, y = left + width * (0.15 + 0.28 * column), top + 0.03 + 0.07 * row
                    if y < 0.6:
                        canvas.box(x, y, x + 0.16 * width, y + 0.035, darker(house, 1.3))
        else:
            canvas.box(left + 0.45 * width, 0.5, left + 0.55 * width, 0.68, (96, 68, 42))
            canvas.disc(left + 0.5 * width, top + 0.18, 0.13, near(rng, 0.3, 0.6, 0.5), 1.2)
        left += width + 0.01
    ground = near(rng, 0.6, 0.05, 0.45) if urban else near(rng, 0.27, 0.55, 0.6)
    canvas.box(0, 0.64, 1, 1, ground)
    if urban:
        for rank in range(5):
            canvas.box(0.05 + 0.22 * rank, 0.83, 0.16 + 0.22 * rank, 0.845, (235, 235, 225))


def _office(canvas: Canvas, rng: Random) -> None:
    """Grey-blue wall, blinds, ceiling lights, desk and screens."""
    wall = near(rng, 0.58, 0.16, 0.72)
    canvas.box(0, 0, 1, 0.14, darker(wall, 1.15))
    canvas.box(0, 0.14, 1, 1, wall)
    for rank in range(3):
        canvas.box(0.08 + 0.32 * rank, 0.05, 0.28 + 0.32 * rank, 0.08, (252, 254, 255))
    for row in range(9):
        canvas.box(0.52, 0.2 + 0.035 * row, 0.97, 0.222 + 0.035 * row, (222, 232, 240))
    desk = near(rng, 0.08, 0.25, 0.5)
    canvas.box(-0.1, 0.76, 1.1, 1, desk)
    canvas.box(-0.1, 0.76, 1.1, 0.78, darker(desk, 1.25))
    for left in (0.06, 0.72):
        left += 0.05 * rng.random()
        canvas.box(left, 0.54, left + 0.24, 0.71, (28, 32, 40))
        canvas.box(left + 0.012, 0.55, left + 0.228, 0.7, near(rng, 0.56, 0.45, 0.8))
        canvas.box(left + 0.105, 0.71, left + 0.135, 0.76, (40, 44, 52))


def _studio(canvas: Canvas, rng: Random) -> None:
    """A backdrop of one colour, lit in the middle."""
    hue = (0.35, 0.61, 0.0, 0.75)[int(rng.random() * 4)]
    plain = near(rng, hue, 0.65 if hue else 0.02, 0.7 if hue else 0.9, 0.03)
    canvas.box(0, 0, 1, 1, darker(plain, 0.75))
    for rank in range(8):
        canvas.disc(0.5, 0.42, 0.75 - 0.08 * rank, darker(plain, 0.78 + 0.04 * rank), 1.2)
    canvas.box(0, 0.86, 1, 1, darker(plain, 0.65))


def _hospital(canvas: Canvas, rng: Random) -> None:
    """White and teal wall, bed, cross."""
    canvas.box(0, 0, 1, 0.5, (238, 246, 246))
    canvas.box(0, 0.5, 1, 0.78, near(rng, 0.48, 0.35, 0.75, 0.03))
    canvas.box(0, 0.78, 1, 1, (196, 208, 210))
    canvas.box(0.16, 0.14, 0.22, 0.34, (206, 40, 48))
    canvas.box(0.19 - 0.08, 0.215, 0.19 + 0.08, 0.265, (206, 40, 48))
    canvas.round_box(0.4, 0.62, 1.1, 0.8, (252, 252, 255), 0.03)
    canvas.round_box(0.42, 0.57, 0.6, 0.65, (226, 236, 244), 0.03)
    canvas.box(0.42, 0.8, 0.44, 0.9, (150, 160, 165))
    canvas.line([(0.86, 0.14), (0.86, 0.62)], (150, 160, 165), 0.012)
    canvas.round_box(0.82, 0.14, 0.9, 0.26, (214, 232, 238), 0.02)


def _palace(canvas: Canvas, rng: Random, outdoors: bool) -> None:
    """Red pillars and lanterns; outdoors hills in ink and a tiled roof."""
    canvas.fade(0, 1, near(rng, 0.11, 0.35, 0.85), near(rng, 0.08, 0.45, 0.6))
    if outdoors:
        for rank in range(3):
            tone = mixed((120, 112, 96), (216, 190, 140), 0.3 * rank)
            peak, top = 0.2 + 0.3 * rank, 0.25 + 0.1 * rng.random()
            canvas.polygon([(peak - 0.4, 0.7), (peak, top), (peak + 0.4, 0.7)], tone)
        canvas.box(0, 0.7, 1, 1, near(rng, 0.1, 0.4, 0.5))
        roof = [(0.45 + 0.06 * x, 0.34 - 0.02 * sin(0.52 * x)) for x in range(11)]
        canvas.polygon([(0.38, 0.4), *roof, (1.1, 0.4)], (58, 66, 70))
        canvas.box(0.48, 0.4, 1.05, 0.72, (150, 48, 36))
        return
    canvas.box(0, 0.78, 1, 1, (92, 60, 42))
    for row in range(5):
        for column in range(6):
            x, y = 0.2 + 0.1 * column, 0.16 + 0.1 * row
            canvas.box(x, y, x + 0.09, y + 0.09, hsv(0.1, 0.25, 0.9))
    for left in (0.04, 0.84):
        canvas.box(left, 0, left + 0.12, 0.82, near(rng, 0.01, 0.8, 0.6, 0.02))
    canvas.box(0, 0, 1, 0.08, (40, 74, 66))
    for x in (0.28, 0.72):
        canvas.disc(x, 0.17, 0.07, (200, 30, 26), 1.2)
        canvas.box(x - 0.01, 0.24, x + 0.01, 0.3, (222, 170, 60))


_PLACES: dict[str, Callable[[Canvas, Random], None]] = {
    "场景-其他": _anything,
    "室内": _room,
    "家": _home,
    "室外": _outdoors,
    "办公室": _office,
    "影棚幕布": _studio,
    "医院": _hospital,
}
