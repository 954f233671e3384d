"""The page's plots as inline SVG; CSS variables of the page give them their colours.

Every function returns markup that is safe: names are escaped. Sizes are in pixels.
"""

import math
from collections.abc import Sequence
from itertools import accumulate, takewhile

import numpy as np
from markupsafe import Markup

from competition.report import svg

LETTER = 7.2  # pixels of a letter of the smaller text
LONGEST_NAME = 26  # letters; one of East Asia counts as two
ROW = 22


def ticks(low: float, high: float, n: int = 5) -> list[float]:
    """Round numbers between `low` and `high`, about `n` of them.

    Examples
    --------
    >>> ticks(0.63, 0.87)
    [0.65, 0.7, 0.75, 0.8, 0.85]
    """
    span = high - low
    if not 0 < span < math.inf:
        return [low]
    rough = span / max(n, 1)
    power = 10 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def cut(name: str, longest: int = LONGEST_NAME) -> str:
    """Shorten a name to the room that so many letters take.

    Examples
    --------
    >>> cut("a name that is too long", 10), cut("一个太长的名字", 10)
    ('a name th…', '一个太长…')
    """
    if _letters(name) <= longest:
        return name
    taken = accumulate(map(_letters, name))
    return name[: sum(1 for _ in takewhile(lambda so_far: so_far < longest, taken))] + "…"


def _letters(text: str) -> int:
    return sum(2 if ord(letter) > 0x2E80 else 1 for letter in text)


def _width(names: Sequence[str]) -> float:
    """Room for names to the left of a drawing, capitals and other broad letters among them."""

    def pixels(name: str) -> float:
        broad = sum(letter.isupper() or letter in "mw@%" for letter in name)
        return LETTER * (_letters(name) + 0.7 * broad)

    return 14 + max((pixels(cut(name)) for name in names), default=0.0)


def whisker(
    low: float | None, value: float, high: float | None, start: float, end: float, says: str
) -> Markup:
    """A value with its interval on a scale from `start` to `end`, for the cell of a table."""
    width, height = 132, 16
    low, high = value if low is None else low, value if high is None else high

    def x(at: float) -> float:
        share = (at - start) / (end - start) if end > start else 0.5
        return 4 + (width - 8) * min(max(share, 0), 1)

    body = [svg.line(4, height / 2, width - 4, height / 2, "rule")]
    if start < 0 < end:
        body.append(svg.line(x(0), 1, x(0), height - 1, "axis"))
    body.append(svg.line(x(low), height / 2, x(high), height / 2, "whisker"))
    body.append(svg.dot(x(value), height / 2, 3.5, "mark"))
    return svg.svg(width, height, body, says)


def dots(
    rows: Sequence[tuple[str, Sequence[float]]],
    says: str,
    *,
    strong: str = "",
    unit: str = "fold",
    digits: int = 3,
) -> Markup:
    """A line of dots for each row, one per fold, with a stroke at their mean."""
    values = [value for _, row in rows for value in row]
    if not values:
        return Markup("")
    low, high = min(values), max(values)
    margin = 0.06 * (high - low or abs(high) or 1)
    low, high = low - margin, high + margin
    left, width = _width([name for name, _ in rows]), 300.0
    height = ROW * len(rows) + 26

    def x(value: float) -> float:
        return left + width * (value - low) / (high - low)

    body = []
    for tick in ticks(low, high, 4):
        body.append(svg.line(x(tick), 2, x(tick), height - 20, "grid"))
        body.append(svg.text(x(tick), height - 5, f"{tick:g}", "tick middle"))
    for place, (name, row) in enumerate(rows):
        y = ROW * place + 13
        css = "strong" if name == strong else ""
        body.append(svg.text(left - 8, y + 4, cut(name), f"end {css}", name))
        if len(row):
            mean = float(np.mean(row))
            body.append(svg.line(x(mean), y - 7, x(mean), y + 7, "mean"))
        for fold, value in enumerate(row):
            title = f"{name}, {unit} {fold}: {value:.{digits}f}"
            body.append(svg.dot(x(value), y, 3.5, f"mark {css or 'soft'}", title))
    return svg.svg(left + width + 12, height, body, says)


def heat_map(names: Sequence[str], values: np.ndarray, says: str) -> Markup:
    """A square of cells, darker where a correlation is higher."""
    n = len(names)
    cell = 34 if n <= 14 else max(14, 480 // n)
    left = _width(names)
    top = left * 0.75
    least = float(values.min())
    body = []
    for row in range(n):
        y = top + cell * row
        body.append(svg.text(left - 8, y + cell / 2 + 4, cut(names[row]), "end", names[row]))
        x = left + cell * row + cell / 2
        body.append(
            Markup(
                '<text transform="translate({:.1f} {:.1f}) rotate(-50)" class="">{}'
                "<title>{}</title></text>"
            ).format(x, top - 6, cut(names[row]), names[row])
        )
        for column in range(n):
            value = float(values[row, column])
            at = (left + cell * column, y)
            title = f"{names[row]} and {names[column]}: {value:.2f}"
            share = (value - least) / (1 - least) if least < 1 else 1.0
            style = f"fill-opacity:{0.06 + 0.94 * share**1.3:.3f}"
            body.append(svg.rect(*at, cell - 2, cell - 2, "heat", title, style))
            if cell >= 30 and row != column:
                css = "cell middle" + (" on" if share > 0.8 else " half" if share > 0.6 else "")
                body.append(svg.text(at[0] + cell / 2 - 1, y + cell / 2 + 3, f"{value:.2f}", css))
    return svg.svg(left + cell * n + top * 0.7, top + cell * n + 4, body, says)


def gain_bars(rows: Sequence[tuple[str, float, int]], says: str) -> Markup:
    """A bar for each tag: what is gained, to the right of zero, or lost, with a number of ads."""
    if not rows:
        return Markup("")
    gains = [gain for _, gain, _ in rows]
    low, high = min(0.0, *gains), max(0.0, *gains)
    low, high = low - 0.02 * (high - low or 1), high + 0.02 * (high - low or 1)
    left, width = _width([name for name, _, _ in rows]), 280.0
    height = 18 * len(rows) + 26

    def x(value: float) -> float:
        return left + width * (value - low) / (high - low)

    body = []
    for tick in ticks(low, high, 5):
        body.append(svg.line(x(tick), 2, x(tick), height - 20, "grid" if tick else "axis"))
        body.append(svg.text(x(tick), height - 5, f"{tick:+g}" if tick else "0", "tick middle"))
    for place, (name, gain, n_ads) in enumerate(rows):
        y = 18 * place + 4
        body.append(svg.text(left - 8, y + 10, cut(name), "end", name))
        title = f"{name}: {gain:+.3f}, {n_ads:,} ads"
        css = "bar" if gain >= 0 else "bar less"
        body.append(svg.rect(x(min(gain, 0)), y, x(max(gain, 0)) - x(min(gain, 0)), 12, css, title))
        body.append(svg.text(left + width + 8, y + 10, f"{n_ads:,}", "tick"))
    return svg.svg(left + width + 60, height, body, says)


def reliability(
    curves: Sequence[tuple[str, str, np.ndarray, np.ndarray, np.ndarray]], says: str
) -> Markup:
    """Curves of (name, css, probability, share, count) against the diagonal."""
    side, left, top = 250.0, 40.0, 8.0

    def at(x: float, y: float) -> tuple[float, float]:
        return left + side * x, top + side * (1 - y)

    body = []
    for tick in (0, 0.25, 0.5, 0.75, 1):
        body.append(svg.line(*at(tick, 0), *at(tick, 1), "grid"))
        body.append(svg.line(*at(0, tick), *at(1, tick), "grid"))
        body.append(svg.text(at(tick, 0)[0], top + side + 15, f"{tick:g}", "tick middle"))
        body.append(svg.text(left - 6, at(0, tick)[1] + 4, f"{tick:g}", "tick end"))
    body.append(svg.line(*at(0, 0), *at(1, 1), "axis dashed"))
    for name, css, mean, share, counts in curves:
        body.append(svg.path([at(x, y) for x, y in zip(mean, share, strict=True)], f"curve {css}"))
        for x, y, n in zip(mean, share, counts, strict=True):
            title = f"{name}: predicted {x:.2f}, true {y:.2f}, {int(n):,} decisions"
            body.append(svg.dot(*at(x, y), 3.5, f"mark {css}", title))
    body.append(svg.text(left + side / 2, top + side + 32, "predicted probability", "tick middle"))
    body.append(
        Markup(
            '<text transform="translate(10 {:.1f}) rotate(-90)" class="tick middle">'
            "share that is true</text>"
        ).format(top + side / 2)
    )
    return svg.svg(left + side + 14, top + side + 38, body, says)


def histogram(true: np.ndarray, false: np.ndarray, says: str) -> Markup:
    """Decisions by probability on a logarithmic scale: true tags above, false ones below."""
    width, half, left = 330.0, 110.0, 44.0
    most = math.log10(max(int(true.max()), int(false.max()), 1) + 1)
    n = len(true)
    step = width / n
    middle = half + 8
    body = []
    for power in range(1, math.ceil(most) + 1):
        height = half * power / math.ceil(most)
        for sign in (-1, 1):
            y = middle + sign * height
            body.append(svg.line(left, y, left + width, y, "grid"))
            body.append(svg.text(left - 6, y + 4, _short(10**power), "tick end"))
    for counts, sign, css, what in ((true, -1, "bar", "true"), (false, 1, "bar less", "false")):
        for place, count in enumerate(counts):
            height = half * math.log10(count + 1) / math.ceil(most or 1)
            y = middle - height if sign < 0 else middle
            title = f"{place / n:.2f} to {(place + 1) / n:.2f}: {int(count):,} {what}"
            body.append(svg.rect(left + step * place + 0.5, y, step - 1, height, css, title))
    body.append(svg.line(left, middle, left + width, middle, "axis"))
    for tick in (0, 0.25, 0.5, 0.75, 1):
        y = 2 * half + 26
        body.append(svg.text(left + width * tick, y, f"{tick:g}", "tick middle"))
    body.append(svg.text(left + width, 18, "true", "end"))
    body.append(svg.text(left + width, 2 * half + 8, "false", "end"))
    return svg.svg(left + width + 12, 2 * half + 32, body, says)


def curves(
    lines: Sequence[tuple[str, str, Sequence[float]]],
    labels: Sequence[str],
    says: str,
    chosen: int | None = None,
) -> Markup:
    """Lines of (name, css, values) over labelled places at even distances."""
    values = [value for _, _, row in lines for value in row]
    low, high = min(values), max(values)
    margin = 0.1 * (high - low or 0.01)
    low, high = low - margin, high + margin
    width, height, left, top = 250.0, 130.0, 46.0, 8.0

    def at(place: int, value: float) -> tuple[float, float]:
        across = width * (place + 0.5) / len(labels)
        return left + across, top + height * (1 - (value - low) / (high - low))

    body = []
    if chosen is not None:
        x = at(chosen, low)[0]
        body.append(svg.rect(x - 12, top, 24, height, "band"))
    for tick in ticks(low, high, 4):
        y = at(0, tick)[1]
        body.append(svg.line(left, y, left + width, y, "grid"))
        body.append(svg.text(left - 6, y + 4, f"{tick:g}", "tick end"))
    for place, label in enumerate(labels):
        body.append(svg.text(at(place, low)[0], top + height + 15, label, "tick middle"))
    for name, css, row in lines:
        points = [at(place, value) for place, value in enumerate(row)]
        body.append(svg.path(points, f"curve {css}"))
        for point, value in zip(points, row, strict=True):
            body.append(svg.dot(*point, 3, f"mark {css}", f"{name}: {value:.4f}"))
    return svg.svg(left + width + 10, top + height + 22, body, says)


def scatter(points: Sequence[tuple[str, float, float]], x_name: str, y_name: str) -> Markup:
    """Points of (name, x, y) on one scale for both, with the diagonal; "" where none spans them."""
    both = [value for _, x, y in points for value in (x, y)]
    low, high = min(both), max(both)
    margin = 0.12 * (high - low or 0.02)
    low, high = low - margin, high + margin
    if not math.isfinite(high - low):
        return Markup("")
    side, left, top = 260.0, 52.0, 8.0

    def at(x: float, y: float) -> tuple[float, float]:
        return left + side * (x - low) / (high - low), top + side * (1 - (y - low) / (high - low))

    body = []
    for tick in ticks(low, high, 4):
        body.append(svg.line(*at(tick, low), *at(tick, high), "grid"))
        body.append(svg.line(*at(low, tick), *at(high, tick), "grid"))
        body.append(svg.text(at(tick, low)[0], top + side + 15, f"{tick:g}", "tick middle"))
        body.append(svg.text(left - 6, at(low, tick)[1] + 4, f"{tick:g}", "tick end"))
    body.append(svg.line(*at(low, low), *at(high, high), "axis dashed"))
    for name, x, y in points:
        title = f"{name}: {x_name} {x:.4f}, {y_name} {y:.4f}"
        body.append(svg.dot(*at(x, y), 4.5, "mark", title))
    body.append(svg.text(left + side / 2, top + side + 32, x_name, "tick middle"))
    body.append(
        Markup(
            '<text transform="translate(10 {:.1f}) rotate(-90)" class="tick middle">{}</text>'
        ).format(top + side / 2, y_name)
    )
    return svg.svg(left + side + 14, top + side + 38, body, f"{y_name} against {x_name}")


def _short(count: int) -> str:
    for size, letter in ((10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count // size}{letter}"
    return str(count)
