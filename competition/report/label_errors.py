"""Likely label errors on the terminal."""

from rich.markup import escape
from rich.table import Table

from competition.pipeline.label_errors import FoundLabelErrors
from competition.report.tables import console

SHOWN = 20
SHORT = 40  # characters of a cell
WHAT = {0: "missing?", 1: "false?"}


def print_label_errors(found: FoundLabelErrors) -> None:
    """Print the first likely label errors, and how many there are of either kind."""
    pairs, dataset = found.pairs, found.dataset
    table = Table(title=f"Likely label errors, {escape(dataset.name)}")
    table.add_column("", justify="right")
    for heading in ("ad", "tag", "label"):
        table.add_column(heading, overflow="fold")
    for heading in ("probability", "score"):
        table.add_column(heading, justify="right")
    for place in range(min(SHOWN, len(pairs))):
        table.add_row(
            str(place + 1),
            _short(str(dataset.train_ids[pairs.ad[place]])),
            _short(dataset.tags[pairs.tag[place]].name),
            WHAT[int(pairs.given[place])],
            f"{pairs.probability[place]:.4f}",
            f"{pairs.score[place]:.2f}",
        )
    console.print(table)
    n_false = int(pairs.given.sum())
    kinds = f"{n_false:,} that may be false, {len(pairs) - n_false:,} that may be missing"
    console.print(
        f"{len(pairs):,} labels to check, as {found.stack.model} sees them: {kinds}.",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _short(text: str) -> str:
    return escape(text if len(text) <= SHORT else f"{text[: SHORT - 1]}…")
