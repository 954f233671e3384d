"""What `ablate` prints."""

from rich.table import Table

from competition.ablation.ablate import Ablation
from competition.ablation.writing import HEADINGS, cells
from competition.report.tables import console


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
