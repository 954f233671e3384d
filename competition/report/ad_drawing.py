"""An ad on the terminal, or as a PNG: Figure 3 of the winning video paper."""

from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from competition.report.ad import AdView
from competition.report.tables import console
from competition.utils.files import written_whole

BAR = 12  # cells of the longest bar on the terminal
LONGEST_TEXT = 600  # characters of a text that are drawn
COLUMNS_PER_INCH = 12  # of letters in the drawing; a wide character takes two
LONG_WORD = 60  # letters of a word that may be cut
PIXELS = 40  # columns of a picture on the terminal
# A font with Chinese, Japanese and Korean characters, wherever one is installed.
FONTS = ("Noto Sans CJK SC", "Noto Sans SC", "PingFang SC", "Microsoft YaHei", "SimHei")
TRUE, FALSE, UNKNOWN = "#2f7d4f", "#9aa3ad", "#3b6ea5"
MARKS = {True: "✓", False: "", None: "?"}


def print_ad(view: AdView) -> None:
    """Print an ad: its picture where the terminal has colours, its texts, its tags."""
    console.print(f"[bold]{_escaped(view.ad)}[/bold], {view.where}", highlight=False)
    if view.pictures and console.color_system in ("truecolor", "256"):
        across = max(1, min(len(view.pictures), console.width // (PIXELS // 2)))
        console.print(_blocks(view.pictures[:across], min(PIXELS, console.width // across)))
    if view.unread:
        console.print(f"No picture: {view.unread}", markup=False, highlight=False)
    for name, text in {**view.texts, "metadata": _metadata(view)}.items():
        if text:
            line = f"{name}: {_cut(text)}"
            console.print(line, markup=False, highlight=False)
    truth = "not known" if view.truth is None else ", ".join(view.truth) or "no tag"
    console.print(f"truth: {truth}", markup=False, highlight=False)
    bars = console.width >= 40 + BAR + 8 * len(view.modalities)
    table = Table(title=f"Tags by {view.stack}", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("", justify="right")
    table.add_column("tag", overflow="fold", min_width=12)
    table.add_column("true")
    table.add_column(view.stack.removeprefix("stack-"), overflow="fold", min_width=4)
    for modality in view.modalities:
        table.add_column(modality, justify="right", overflow="fold", min_width=4)
    for tag in view.tags:
        bar = " " + "█" * round(BAR * tag.stack) if bars else ""
        table.add_row(
            str(tag.rank),
            Text(tag.name),
            MARKS[tag.is_true],
            f"{tag.stack:.2f}{bar}",
            *(f"{score:.2f}" for score in tag.modalities),
            style="bold" if tag.is_true else None,
        )
    console.print(table)


def draw_ad(view: AdView, path: Path) -> None:
    """Draw an ad as a PNG.

    Parameters
    ----------
    view : AdView
    path : Path
        Appears whole.
    """
    import logging
    import warnings

    import matplotlib
    from matplotlib.figure import Figure

    # A character that no font has is drawn as a box; matplotlib would say so for each one.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    width = max(8.0, 2.6 + 1.5 * (1 + len(view.modalities)))
    lines = _lines(view, round(width * COLUMNS_PER_INCH))
    # Inches from top to bottom: name, pictures, texts, headings of the bars, bars.
    heights = [0.35, 1.9 if view.pictures else 0.0, 0.185 * len(lines) + 0.2, 0.3]
    heights.append(0.26 * len(view.tags) + 0.1)
    with matplotlib.rc_context({"font.family": _fonts(), "font.size": 9}):
        figure = Figure(figsize=(width, sum(heights)), dpi=130, facecolor="white")
        rows = figure.add_gridspec(
            5, 1, height_ratios=heights, hspace=0, left=0.01, right=0.99, top=1, bottom=0.02
        )
        axis = figure.add_subplot(rows[0])
        bars = "" if view.truth is None else " (bars of true tags are green)"
        _written(axis, f"{view.ad}, {view.where}{bars}", fontsize=11)
        _draw_pictures(figure, rows[1], view)
        _written(figure.add_subplot(rows[2]), "\n".join(lines), linespacing=1.35)
        _draw_tags(figure, rows[4], view, 1.6 / width)
        with written_whole(path) as temporary, warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing")
            figure.savefig(temporary, format="png", bbox_inches="tight")


def _written(axis: Any, text: str, **how: Any) -> None:
    """Write lines from the top of an empty panel."""
    axis.axis("off")
    shown = axis.text(0, 0.95, text, va="top", transform=axis.transAxes, **how)
    shown.set_parse_math(False)  # what stands between two dollar signs is no formula


def _draw_pictures(figure: Any, place: Any, view: AdView) -> None:
    if not view.pictures:
        return
    shapes = [picture.shape[1] / picture.shape[0] for picture in view.pictures]
    panels = place.subgridspec(1, len(view.pictures), width_ratios=shapes, wspace=0.03)
    for number, picture in enumerate(view.pictures):
        axis = figure.add_subplot(panels[number])
        axis.imshow(picture)
        axis.axis("off")


def _draw_tags(figure: Any, place: Any, view: AdView, names_share: float) -> None:
    """Bars of the stack and of each modality, a row per tag, true ones in green."""
    names = (view.stack.removeprefix("stack-"), *view.modalities)
    # The first column is left free for the names of the tags.
    share = names_share / (1 - names_share) * (len(names) + 0.4)
    ratios = [share, 1.4, *[1] * (len(names) - 1)]
    panels = place.subgridspec(1, len(ratios), width_ratios=ratios, wspace=0.06)
    columns = [[tag.stack for tag in view.tags]]
    columns += [[tag.modalities[m] for tag in view.tags] for m in range(len(view.modalities))]
    colours = [{True: TRUE, False: FALSE, None: UNKNOWN}[tag.is_true] for tag in view.tags]
    places = np.arange(len(view.tags))
    for number, (name, scores) in enumerate(zip(names, columns, strict=True)):
        axis = figure.add_subplot(panels[number + 1])
        axis.barh(places, scores, color=colours, height=0.7)
        for row, score in enumerate(scores):
            inside = score > 0.7
            axis.text(
                score + (-0.03 if inside else 0.03),
                row,
                f"{score:.2f}",
                va="center",
                ha="right" if inside else "left",
                color="white" if inside else "black",
                fontsize=7,
            )
        axis.set_xlim(0, 1)
        axis.set_ylim(len(view.tags) - 0.5, -0.5)
        axis.set_title(name, fontsize=9)
        axis.set_xticks([])
        axis.spines[["top", "right", "bottom"]].set_visible(False)
        if number:
            axis.set_yticks([])
        else:
            labels = [f"{tag.rank}. {_cut(tag.name, 40)}" for tag in view.tags]
            axis.set_yticks(places, labels)
            for label, tag in zip(axis.get_yticklabels(), view.tags, strict=True):
                label.set_fontweight("bold" if tag.is_true else "normal")
                label.set_parse_math(False)


def _lines(view: AdView, columns: int) -> list[str]:
    """Texts, metadata and truth in lines that fit the drawing."""
    truth = "not known" if view.truth is None else ", ".join(view.truth) or "no tag"
    given = {**view.texts, "metadata": _metadata(view), "truth": truth}
    lines = [f"No picture: {view.unread}"] if view.unread else []
    for name, text in given.items():
        if text:
            lines += _wrapped(f"{name}: {_cut(text)}", columns)
    return lines


def _wrapped(text: str, columns: int) -> list[str]:
    """Cut a text into lines; characters of East Asia are two columns wide."""
    from rich.cells import cell_len

    lines, line = [], ""
    for word in _words(text):
        if cell_len(line + word) > columns and line:
            lines.append(line.rstrip())
            line = ""
        line += word
    return [*lines, line.rstrip()]


def _words(text: str) -> list[str]:
    """Pieces of a text between which a line may end."""
    words = []
    for word in text.split(" "):
        wide = not word.isascii() or len(word) > LONG_WORD
        words += [*word, " "] if wide else [word + " "]
    return words


def _cut(text: str, longest: int = LONGEST_TEXT) -> str:
    text = " ".join(text.split())
    return text if len(text) <= longest else text[:longest] + "…"


def _metadata(view: AdView) -> str:
    return ", ".join(f"{name} {value}" for name, value in view.metadata.items())


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _fonts() -> list[str]:
    """Families to draw with: one with Chinese characters first for those that Latin ones lack."""
    from matplotlib import font_manager

    from competition.demo.captions import FONT_FILE, FONT_PACKAGE

    known = set(font_manager.get_font_names())
    if not known & set(FONTS) and find_spec(FONT_PACKAGE):
        with as_file(files(FONT_PACKAGE) / FONT_FILE) as path:
            font_manager.fontManager.addfont(path)
        known = set(font_manager.get_font_names())
    return ["DejaVu Sans", *(font for font in FONTS if font in known)]


def _blocks(pictures: list[np.ndarray], columns: int) -> Text:
    """Pictures side by side in half blocks: each character shows two pixels."""
    from PIL import Image

    height = min(2 * 12, max(2 * round(columns * p.shape[0] / p.shape[1] / 2) for p in pictures))
    scaled = []
    for picture in pictures:
        width = max(1, min(columns, round(height * picture.shape[1] / picture.shape[0])))
        image = Image.fromarray(picture).resize((width, height))
        scaled.append(np.pad(np.asarray(image), ((0, 0), (0, 1), (0, 0))))
    pixels = np.concatenate(scaled, axis=1)
    drawn = Text()
    for upper, lower in zip(pixels[::2], pixels[1::2], strict=True):
        for above, below in zip(upper, lower, strict=True):
            drawn.append(
                "▀",
                f"rgb({above[0]},{above[1]},{above[2]}) on rgb({below[0]},{below[1]},{below[2]})",
            )
        drawn.append("\n")
    return drawn
