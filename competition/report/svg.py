"""Shapes of an SVG drawing; what they are given is escaped.

Classes of CSS say how they look. Sizes are in pixels.
"""

from collections.abc import Sequence

from markupsafe import Markup


def svg(width: float, height: float, body: Sequence[Markup], says: str) -> Markup:
    return Markup(
        '<svg class="plot" viewBox="0 0 {w:.0f} {h:.0f}" width="{w:.0f}" height="{h:.0f}" '
        'role="img" aria-label="{says}">{body}</svg>'
    ).format(w=width, h=height, says=says, body=Markup("").join(body))


def text(x: float, y: float, text: object, css: str = "", title: str = "") -> Markup:
    inner = Markup("<title>{}</title>").format(title) if title else Markup("")
    return Markup('<text x="{:.1f}" y="{:.1f}" class="{}">{}{}</text>').format(
        x, y, css, text, inner
    )


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> Markup:
    return Markup('<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" class="{}"/>').format(
        x1, y1, x2, y2, css
    )


def rect(
    x: float, y: float, width: float, height: float, css: str, title: str = "", style: str = ""
) -> Markup:
    inner = Markup("<title>{}</title>").format(title) if title else Markup("")
    return Markup(
        '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" class="{}" style="{}">{}</rect>'
    ).format(x, y, max(width, 0), max(height, 0), css, style, inner)


def dot(x: float, y: float, r: float, css: str, title: str = "") -> Markup:
    inner = Markup("<title>{}</title>").format(title) if title else Markup("")
    return Markup('<circle cx="{:.1f}" cy="{:.1f}" r="{:.1f}" class="{}">{}</circle>').format(
        x, y, r, css, inner
    )


def path(points: Sequence[tuple[float, float]], css: str) -> Markup:
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return Markup('<polyline points="{}" class="{}"/>').format(drawn, css)
