"""What `ablate` prints and draws."""

from pathlib import Path
from random import Random

from rich.table import Table

from competition.ablation.ablate import Ablation
from competition.ablation.writing import HEADINGS, cells
from competition.report.ad import AdViewer
from competition.report.ad_drawing import draw_ad
from competition.report.tables import console
from competition.utils.extras import lacking

DRAWN = 3  # ads


def print_ablation(ablation: Ablation) -> None:
    """Print every table, and where the files lie."""
    for one in ablation.tables:
        table = Table(title=f"{one.title}, {ablation.dataset.name}")
        table.add_column("", overflow="fold")
        for heading in HEADINGS:
            table.add_column(heading, justify="right")
        noted = any(row.note for row in one.rows)
        if noted:
            table.add_column("")
        for row in one.rows:
            table.add_row(row.name, *cells(row), *([row.note] if noted else []))
        console.print(table)
        text = f"Differences of GAP are to {one.reference}. {one.note}"
        console.print(text, highlight=False, markup=False, soft_wrap=True)
    for path in ablation.paths:
        console.print(f"Written: {path}", highlight=False, markup=False, soft_wrap=True)


def print_drawings(viewer: AdViewer, folder: Path, seed: int) -> None:
    """Draw a few training ads, drawn by lot, as the paper's Figure 3; print the pictures' paths.

    Parameters
    ----------
    viewer : AdViewer
    folder : Path
        Receives ad_1.png, ad_2.png, ....
    seed : int
        Of the lot.
    """
    why = lacking(["matplotlib"])
    if why:
        console.print(f"No ad is drawn: {why}", highlight=False, markup=False, soft_wrap=True)
        return
    ids = viewer.dataset.train_ids.to_list()
    for number, ad in enumerate(Random(seed).sample(ids, min(DRAWN, len(ids))), start=1):
        path = folder / f"ad_{number}.png"
        draw_ad(viewer.view(ad), path)
        console.print(f"Drawn: {path}", highlight=False, markup=False, soft_wrap=True)
