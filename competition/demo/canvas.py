"""A drawing surface measured in shares of its width and height, and the colours of demo films."""

from colorsys import hsv_to_rgb
from copy import copy
from random import Random

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]

FINENESS = 2  # times larger to draw than the picture, so that edges are smooth


class Canvas:
    """A picture to draw on.

    Coordinates run from (0, 0) at the top left to (1, 1) at the bottom right; lengths without a
    direction (radii, line widths) are shares of the shorter side.
    """

    def __init__(self, width: int, height: int, ground: Colour = (0, 0, 0)) -> None:
        self.width, self.height = width, height
        size = (width * FINENESS, height * FINENESS)
        self._image = Image.new("RGB", size, ground)
        self._draw = ImageDraw.Draw(self._image)
        self._origin = (0.0, 0.0)
        self._scale: tuple[float, float] = size
        self._unit: float = min(size)

    def around(self, x: float, y: float, radius: float) -> "Canvas":
        """Return a view of the same picture with its origin at (x, y) and lengths in `radius`."""
        view = copy(self)
        view._origin = self._at(x, y)
        view._unit = radius * self._unit
        view._scale = (view._unit, view._unit)
        return view

    def pixels(self) -> np.ndarray:
        """Return the picture: uint8, (height, width, 3)."""
        return np.asarray(self._image.reduce(FINENESS))

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return self._origin[0] + x * self._scale[0], self._origin[1] + y * self._scale[1]

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: Colour) -> None:
        """Fill a rectangle."""
        self._draw.rectangle((*self._at(x0, y0), *self._at(x1, y1)), fill)

    def round_box(
        self, x0: float, y0: float, x1: float, y1: float, fill: Colour, radius: float = 0.02
    ) -> None:
        """Fill a rectangle with round corners."""
        corners = (*self._at(x0, y0), *self._at(x1, y1))
        self._draw.rounded_rectangle(corners, radius * self._unit, fill)

    def disc(self, x: float, y: float, radius: float, fill: Colour, squeeze: float = 1.0) -> None:
        """Fill an ellipse around (x, y), `squeeze` times as high as it is wide."""
        cx, cy = self._at(x, y)
        rx, ry = radius * self._unit, radius * self._unit * squeeze
        self._draw.ellipse((cx - rx, cy - ry, cx + rx, cy + ry), fill)

    def polygon(self, points: list[tuple[float, float]], fill: Colour) -> None:
        """Fill a polygon."""
        self._draw.polygon([self._at(x, y) for x, y in points], fill)

    def line(self, points: list[tuple[float, float]], fill: Colour, width: float = 0.01) -> None:
        """Draw a line through the points."""
        pixels = max(1, round(width * self._unit))
        self._draw.line([self._at(x, y) for x, y in points], fill, pixels, joint="curve")

    def arc(
        self,
        x: float,
        y: float,
        radius: float,
        start: float,
        end: float,
        fill: Colour,
        width: float = 0.01,
    ) -> None:
        """Draw an arc from `start` to `end` degrees, clockwise from three o'clock."""
        cx, cy = self._at(x, y)
        r, pixels = radius * self._unit, max(1, round(width * self._unit))
        self._draw.arc((cx - r, cy - r, cx + r, cy + r), start, end, fill, pixels)

    def fade(self, y0: float, y1: float, top: Colour, bottom: Colour) -> None:
        """Fill from height `y0` down to `y1` with a colour that turns into another."""
        steps = 24
        for step in range(steps):
            low, high = y0 + (y1 - y0) * step / steps, y0 + (y1 - y0) * (step + 1) / steps
            self.box(0, low, 1, high, mixed(top, bottom, step / (steps - 1)))


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """Make a colour from hue (of a circle of length 1), saturation and value."""
    red, green, blue = hsv_to_rgb(hue % 1.0, min(saturation, 1.0), min(value, 1.0))
    return round(255 * red), round(255 * green), round(255 * blue)


def near(rng: Random, hue: float, saturation: float, value: float, spread: float = 0.05) -> Colour:
    """Draw a random colour near the given one."""
    shift, grey, light = (2 * rng.random() - 1 for _ in range(3))
    return hsv(
        hue + spread * shift,
        max(0.0, saturation * (1 + 3 * spread * grey)),
        value * (1 + 2 * spread * light),
    )


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """Mix two colours, with a share `share` of the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def darker(colour: Colour, factor: float = 0.8) -> Colour:
    """Make a colour darker, or with a factor above 1 lighter."""
    red, green, blue = (min(255, round(channel * factor)) for channel in colour)
    return red, green, blue
