"""Inserts of demo films, between shots of people: screens, pages, writing, goods, games."""

from collections.abc import Callable
from math import cos, sin
from random import Random

from competition.demo.canvas import Canvas, Colour, darker, near
from competition.demo.content import pick

# Half the width of goods as a share of the picture's shorter side.
SIZE_OF_FRAMING = {"全景": 0.09, "中景": 0.16, "特写": 0.26, "极端特写": 0.45, "": 0.16}
SKIN = (236, 196, 164)


def draw_insert(canvas: Canvas, insert: str, rng: Random, progress: float) -> None:
    """Draw an insert over the whole picture.

    Parameters
    ----------
    canvas : Canvas
    insert : str
        A tag out of `competition.demo.draw.INSERTS`.
    rng : Random
        The same state draws the same insert.
    progress : float
        Progress of the motion, from 0 to 1.
    """
    _INSERTS[insert](canvas, rng, progress)


def draw_goods(canvas: Canvas, framing: str, rng: Random, progress: float) -> None:
    """Draw goods in the size of the framing; they move a little with `progress`."""
    tone = near(rng, rng.random(), 0.7, 0.85)
    goods = canvas.around(0.44 + 0.12 * progress, 0.52, SIZE_OF_FRAMING[framing])
    goods.disc(0, 1.15, 1.2, (70, 66, 66), 0.18)
    if rng.random() < 0.5:
        goods.round_box(-0.6, -1, 0.6, 1.1, tone, 0.3)
        goods.box(-0.25, -1.5, 0.25, -0.9, darker(tone, 0.7))
        goods.box(-0.6, -0.2, 0.6, 0.5, (250, 248, 240))
    else:
        turn = 0.3 * sin(3 * progress)
        goods.polygon([(-1, -0.6), (turn, -0.2), (turn, 1.2), (-1, 0.7)], tone)
        goods.polygon([(turn, -0.2), (1, -0.6), (1, 0.7), (turn, 1.2)], darker(tone, 0.75))
        goods.polygon([(-1, -0.6), (turn, -0.2), (1, -0.6), (0, -1)], darker(tone, 1.2))


def _screen(canvas: Canvas, rng: Random, progress: float) -> None:
    """A phone's screen that scrolls: status bar, rows with pictures, a button."""
    accent = near(rng, rng.random(), 0.75, 0.9)
    canvas.box(0, 0, 1, 1, (246, 247, 249))
    height = 0.11
    for row in range(12):
        picture = near(rng, rng.random(), 0.4, 0.85)
        length = 0.3 + 0.3 * rng.random()
        y = 0.16 + height * row - 0.3 * progress
        if -height < y < 1:
            canvas.round_box(0.04, y, 0.22, y + 0.085, picture, 0.02)
            canvas.box(0.27, y + 0.012, 0.27 + length, y + 0.03, (90, 94, 104))
            canvas.box(0.27, y + 0.05, 0.27 + 0.7 * length, y + 0.064, (186, 190, 198))
            canvas.round_box(0.8, y + 0.025, 0.96, y + 0.06, accent, 0.02)
    canvas.box(0, 0, 1, 0.12, accent)
    canvas.box(0.06, 0.055, 0.7, 0.095, (255, 255, 255))
    canvas.box(0, 0.9, 1, 1, (255, 255, 255))
    for rank in range(4):
        canvas.disc(0.125 + 0.25 * rank, 0.95, 0.022, accent if rank == 0 else (160, 164, 172))
    canvas.disc(0.3 + 0.4 * progress, 0.65 - 0.1 * progress, 0.035, (120, 120, 126))


def _pages(canvas: Canvas, rng: Random, progress: float) -> None:
    """Printed pages and a workbook, with ticks of a red pencil."""
    canvas.box(0, 0, 1, 1, near(rng, 0.08, 0.4, 0.55))
    cover = near(rng, pick(rng, (0.14, 0.33, 0.56)), 0.7, 0.9)
    canvas.round_box(0.58, 0.08, 1.1, 0.62, cover, 0.01)
    canvas.box(0.64, 0.16, 0.94, 0.22, (252, 252, 248))
    canvas.polygon([(0.05, 0.14), (0.72, 0.1), (0.76, 0.94), (0.09, 0.98)], (252, 250, 240))
    ticks = round(6 * progress)
    for row in range(13):
        y = 0.2 + 0.056 * row
        canvas.box(0.12, y, 0.42 + 0.26 * rng.random(), y + 0.012, (96, 98, 104))
        if row % 2 == 0 and row // 2 < ticks:
            canvas.line([(0.62, y), (0.64, y + 0.02), (0.69, y - 0.03)], (220, 36, 36), 0.014)


def _handwriting(canvas: Canvas, rng: Random, progress: float) -> None:
    """A hand that writes lines on a sheet or a blackboard."""
    board = rng.random() < 0.4
    canvas.box(0, 0, 1, 1, near(rng, 0.42, 0.5, 0.3) if board else near(rng, 0.13, 0.08, 0.97))
    ink: Colour = (240, 240, 232) if board else (24, 50, 150)
    if not board:
        for row in range(14):
            canvas.line([(0, 0.07 * row), (1, 0.07 * row)], (206, 220, 232), 0.004)
    canvas.polygon([(0.62, 0.14), (0.92, 0.34), (0.62, 0.38)], darker(ink, 0.9))
    canvas.polygon(
        [(0.64, 0.17), (0.87, 0.33), (0.64, 0.36)], (54, 92, 78) if board else (250, 248, 240)
    )
    points = 60
    path = []
    for step in range(points):
        row, along = divmod(step, 15)
        wave = 0.022 * sin(2.6 * step) + 0.012 * (rng.random() - 0.5)
        path.append((0.1 + 0.055 * along, 0.24 + 0.13 * row + wave))
    written = path[: 8 + round((points - 8) * progress)]
    for row in range(4):
        piece = [p for rank, p in enumerate(written) if rank // 15 == row]
        if len(piece) > 1:
            canvas.line(piece, ink, 0.016)
    x, y = written[-1]
    canvas.line([(x, y), (x + 0.1, y + 0.1)], (40, 40, 44), 0.026)
    canvas.polygon(
        [(x + 0.05, y + 0.1), (x + 0.2, y + 0.06), (x + 0.6, y + 0.4), (x + 0.34, y + 0.46)], SKIN
    )
    canvas.disc(x + 0.12, y + 0.1, 0.07, SKIN)


def _red_packets(canvas: Canvas, rng: Random, progress: float) -> None:
    """Red packets and coins that rain."""
    canvas.fade(0, 1, near(rng, 0.0, 0.85, 0.85, 0.02), near(rng, 0.07, 0.8, 0.9, 0.02))
    for rank in range(12):
        x, y = rng.random(), (rng.random() + 0.6 * progress) % 1.0
        thing = canvas.around(x, y, 0.08)
        if rank % 3 == 0:
            thing.disc(0, 0, 0.6, (250, 206, 70))
            thing.disc(0, 0, 0.4, (232, 170, 40))
        else:
            thing.round_box(-0.8, -1.1, 0.8, 1.1, (206, 22, 30), 0.15)
            thing.box(-0.8, -1.0, 0.8, -0.4, (176, 12, 22))
            thing.disc(0, -0.4, 0.35, (250, 214, 96))


def _product(canvas: Canvas, rng: Random, progress: float) -> None:
    """Goods in the spotlight, with a star of offers."""
    tone = near(rng, rng.random(), 0.25, 0.95)
    canvas.fade(0, 0.7, tone, darker(tone, 1.1))
    canvas.box(0, 0.7, 1, 1, darker(tone, 0.8))
    canvas.disc(0.5, 0.5, 0.42, (255, 255, 250))
    draw_goods(canvas, "中景", rng, progress)
    star = canvas.around(0.82, 0.24, 0.13)
    points = [
        ((1.0 if k % 2 else 0.7) * cos(0.3142 * k), (1.0 if k % 2 else 0.7) * sin(0.3142 * k))
        for k in range(20)
    ]
    star.polygon(points, (240, 60, 40))


def _talent(canvas: Canvas, rng: Random, progress: float) -> None:
    """An easel on which a painting grows."""
    canvas.box(0, 0, 1, 1, near(rng, 0.1, 0.25, 0.75))
    canvas.line([(0.3, 1), (0.44, 0.1)], (110, 76, 46), 0.03)
    canvas.line([(0.7, 1), (0.56, 0.1)], (110, 76, 46), 0.03)
    canvas.box(0.14, 0.18, 0.86, 0.74, (253, 252, 247))
    for _ in range(5 + round(25 * progress)):
        tone = near(rng, rng.random(), 0.75, 0.9)
        x, y = 0.2 + 0.55 * rng.random(), 0.24 + 0.42 * rng.random()
        canvas.line([(x, y), (x + 0.1 * rng.random(), y + 0.06 * rng.random())], tone, 0.035)
    canvas.line([(x + 0.02, y), (x + 0.24, y + 0.2)], (150, 100, 60), 0.02)
    canvas.disc(x + 0.27, y + 0.22, 0.08, SKIN)


def _game(canvas: Canvas, rng: Random, progress: float) -> None:
    """A field of tiles at night, fighters, bars of life."""
    ground = near(rng, pick(rng, (0.66, 0.33, 0.78)), 0.7, 0.35)
    canvas.box(0, 0, 1, 1, ground)
    for row in range(10):
        for column in range(8):
            if rng.random() < 0.35:
                x, y = 0.125 * column, 0.1 * row
                canvas.box(x, y, x + 0.118, y + 0.094, darker(ground, 0.7 + 0.8 * rng.random()))
    for rank in range(5):
        x, y = 0.1 + 0.7 * rng.random(), 0.2 + 0.5 * rng.random()
        shift = 0.12 * sin(6 * progress + rank)
        hero = canvas.around(x + shift, y, 0.05)
        tone = near(rng, 0.0 if rank else 0.5, 0.85, 0.95)
        hero.box(-1, -0.4, 1, 1.6, tone)
        hero.disc(0, -1, 0.8, (244, 208, 176))
        hero.box(-1.2, -2.4, 1.2, -2.1, (40, 40, 40))
        hero.box(-1.2, -2.4, 1.2 - 2 * progress * (rank > 0), -2.1, (70, 230, 90))
    canvas.disc(0.5, 0.45, 0.05 + 0.2 * progress, (255, 214, 70))
    canvas.disc(0.5, 0.45, 0.03 + 0.14 * progress, ground)
    for rank in range(4):
        canvas.round_box(0.1 + 0.21 * rank, 0.86, 0.27 + 0.21 * rank, 0.96, (220, 180, 70), 0.01)


_INSERTS: dict[str, Callable[[Canvas, Random, float], None]] = {
    "手机电脑录屏": _screen,
    "教辅材料": _pages,
    "手写解题": _handwriting,
    "红包": _red_packets,
    "商品展示": _product,
    "才艺展示": _talent,
    "游戏画面": _game,
}
