"""Ablation tables as files."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from competition.ablation.rows import AblationTable, Row
from competition.utils.files import write_text

HEADINGS = ("accuracy", "GAP", "difference", "95% interval")


def write_tables(folder: Path, dataset: str, tables: Sequence[AblationTable]) -> list[Path]:
    """Write ablation.csv, a row per row of a table, and ablation.md, made to be read."""
    paths = [folder / "ablation.csv", folder / "ablation.md"]
    frame = pd.DataFrame(
        {
            "table": table.name,
            "row": row.name,
            "models": "|".join(row.models),
            "accuracy": row.accuracy,
            "gap": row.gap,
            "difference": row.difference.value,
            "low": row.difference.low,
            "high": row.difference.high,
            "note": row.note,
        }
        for table in tables
        for row in table.rows
    )
    write_text(paths[0], frame.to_csv(index=False, lineterminator="\n"))
    write_text(paths[1], "\n".join([f"# Ablation, {dataset}", *map(_markdown, tables)]) + "\n")
    return paths


def cells(row: Row) -> list[str]:
    """Numbers of a row as text, in the order of `HEADINGS`."""
    difference = row.difference
    return [
        f"{row.accuracy:.4f}",
        f"{row.gap:.4f}",
        f"{difference.value:+.4f}",
        f"{difference.low:+.4f} to {difference.high:+.4f}",
    ]


def _markdown(table: AblationTable) -> str:
    lines = [
        "",
        f"## {table.title}",
        "",
        f"Differences of GAP are to {table.reference}. {table.note}".strip(),
        "",
        "| | " + " | ".join(HEADINGS) + " | |",
        "|---|" + "---:|" * len(HEADINGS) + "---|",
        *("| " + " | ".join([row.name, *cells(row), row.note]) + " |" for row in table.rows),
    ]
    return "\n".join(lines)
