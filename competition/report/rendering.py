"""Templates to HTML. What comes from data is escaped; the page runs its own script alone."""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from competition.report import plots
from competition.utils.files import digest

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"


@cache
def sources_digest() -> str:
    """Digest of the templates and of the modules that fill them."""
    files = [*TEMPLATES.iterdir(), *HERE.glob("*.py")]
    return digest([[path.name, digest(path.read_bytes())] for path in sorted(files)])


def render(**values: Any) -> str:
    """Fill the page's template."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        n4=_fixed(4), n3=_fixed(3), n2=_fixed(2), signed=_signed, count=_count, percent=_percent,
        seconds=_seconds, image=_image, cut=plots.cut, long=_long, when=_when,
    )  # fmt: skip
    environment.globals["plots"] = plots
    # The files are this package's own; nothing in them comes from data.
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    style = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html").render(
        script=Markup(script), style=Markup(style), script_digest=allowed, **values
    )


def _fixed(digits: int) -> Any:
    def fixed(value: float | None) -> str:
        return "–" if value is None or value != value else f"{value:.{digits}f}"

    return fixed


def _signed(value: float | None, digits: int = 4) -> str:
    if value is None or value != value:
        return "–"
    return f"{value:+.{digits}f}".replace("-", "−")


def _count(value: int) -> str:
    return f"{value:,}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    if value < 100:
        return f"{value:.1f} s"
    return f"{value / 60:.0f} min" if value < 6_000 else f"{value / 3_600:.1f} h"


def _image(content: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(content).decode()}"


def _when(time: str) -> str:
    """Shorten an ISO time of UTC to its minute; leave any other text."""
    day, _, clock = time.removesuffix("+00:00").partition("T")
    return f"{day} {clock[:5]} UTC" if clock and time.endswith("+00:00") else time


def _long(text: str, most: int = 3_000) -> str:
    return text if len(text) <= most else f"{text[:most]} … ({len(text):,} characters)"
