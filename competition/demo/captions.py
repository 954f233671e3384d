"""Captions of demo films: outlined Chinese text, and text on strips and buttons."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from competition.demo.canvas import Colour, near
from competition.demo.look import Look
from competition.demo.plan import AdPlan

FONT_PACKAGE, FONT_FILE = "pylopdf_fonts_zh_cn", "NotoSansSC-Regular.otf"
SMALLEST_SIDE = 216  # pixels of the smallest film, in which letters of size 1 have LETTER pixels
LETTER = 22
FRAMES_OF_LINE = 4  # at least: half a second
MARGIN = 6


@dataclass(frozen=True)
class Lane:
    """The height at which captions of one kind stand, one at a time, and their size."""

    y: float
    size: float
    boxed: bool


LANES = {
    "brand": Lane(0.04, 0.8, False),
    "banner": Lane(0.19, 1.1, False),
    "scrap": Lane(0.33, 0.75, True),
    "cue": Lane(0.62, 0.9, True),
    "subtitle": Lane(0.8, 1.0, False),
    "legal": Lane(0.95, 0.65, False),
}


@dataclass(frozen=True, eq=False)
class Overlay:
    """A caption in the picture from frame `start` to before `end`.

    `colour` is uint16 (height, width, 3), multiplied by the opacity; `clear` is uint16
    (height, width, 1), the share of the frame that remains, from 0 to 256.
    """

    start: int
    end: int
    top: int
    left: int
    colour: np.ndarray
    clear: np.ndarray

    def put_on(self, frame: np.ndarray) -> None:
        """Write the caption into a frame, uint8 (height, width, 3)."""
        height, width = self.clear.shape[:2]
        area = frame[self.top : self.top + height, self.left : self.left + width]
        area[:] = (area * self.clear + self.colour) >> 8


def lay_captions(plan: AdPlan, look: Look) -> list[Overlay]:
    """Spread the captions of an ad over its film.

    A line is on show for at least half a second. Where a kind has too many lines for that, evenly
    spread lines are left out.
    """
    rng = Random(f"{plan.noise_seed}:captions")
    overlays = []
    for kind, lane in LANES.items():
        texts = [line.text for line in plan.captions if line.kind == kind]
        if kind == "subtitle":
            texts = [piece for text in texts for piece in text.split("，") if piece]
        ink = _ink(kind, rng)
        texts = _thinned(texts, look.n_frames // FRAMES_OF_LINE)
        for rank, text in enumerate(texts):
            start = rank * look.n_frames // len(texts)
            end = (rank + 1) * look.n_frames // len(texts)
            overlays.append(_overlay(text, lane, ink, look, start, end, rng))
    return overlays


def _thinned(texts: Sequence[str], most: int) -> list[str]:
    kept = min(len(texts), most)
    return [texts[rank * len(texts) // kept] for rank in range(kept)]


def _ink(kind: str, rng: Random) -> tuple[Colour, Colour]:
    """Return the colour of the letters, and of their outline or box."""
    if kind == "banner":
        return (255, 232, 64), near(rng, rng.random() * 0.08, 0.85, 0.6)
    if kind == "cue":
        return (255, 255, 255), near(rng, rng.random(), 0.75, 0.7)
    if kind == "scrap":
        return (30, 30, 30), near(rng, 0.15, 0.1, 0.95)
    return (255, 255, 255), (16, 16, 16)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    with as_file(files(FONT_PACKAGE) / FONT_FILE) as path:
        return ImageFont.truetype(path, size)


def _overlay(
    text: str,
    lane: Lane,
    ink: tuple[Colour, Colour],
    look: Look,
    start: int,
    end: int,
    rng: Random,
) -> Overlay:
    size = round(LETTER * lane.size * min(look.width, look.height) / SMALLEST_SIDE)
    font = _font(size)
    lines = _wrapped(text, font, look.width - 4 * MARGIN)
    inner = max(round(font.getlength(line)) for line in lines)
    spacing = round(1.2 * size)
    width, height = inner + 2 * MARGIN, spacing * len(lines) + MARGIN
    image = Image.new("RGBA", (width, height))
    draw = ImageDraw.Draw(image)
    letters, around = ink
    if lane.boxed:
        draw.rounded_rectangle((0, 0, width - 1, height - 1), MARGIN, (*around, 255))
    for rank, line in enumerate(lines):
        draw.text(
            (width / 2, MARGIN / 2 + spacing * (rank + 0.5)),
            line,
            letters,
            font,
            anchor="mm",
            stroke_width=0 if lane.boxed else max(1, size // 11),
            stroke_fill=around,
        )
    pixels = np.asarray(image).astype(np.uint16)
    opaque = pixels[:, :, 3:] + (pixels[:, :, 3:] > 127)  # 0 to 256
    free = look.width - width
    left = round(free * rng.random()) if lane.boxed else free // 2
    top = round(lane.y * look.height - height / 2)
    top = min(max(top, 0), look.height - height)
    return Overlay(start, end, top, left, pixels[:, :, :3] * opaque, 256 - opaque)


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Break a text into lines, none wider than `width` pixels."""
    if font.getlength(text) <= width:
        return [text]
    lines = [""]
    for character in text:
        if lines[-1] and font.getlength(lines[-1] + character) > width:
            lines.append("")
        lines[-1] += character
    return lines
