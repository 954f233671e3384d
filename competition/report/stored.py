"""The list of what is stored, as `oof list` prints it."""

from collections.abc import Callable, Sequence

from rich.cells import cell_len, set_cell_size

from competition.pipeline.stored import StoredModel

_ORDER: dict[str, Callable[[StoredModel], tuple[float | str, str]]] = {
    "gap": lambda one: (-one.card.scores.gap if one.card else 1.0, one.name),
    "map": lambda one: (-one.card.scores.map if one.card else 1.0, one.name),
    "name": lambda one: (one.name, one.name),
    "adds": lambda one: (1.0 if one.adds is None else -one.adds, one.name),
    "written": lambda one: (one.card.written if one.card else "", one.name),
}


def print_stored(models: Sequence[StoredModel], by: str = "gap") -> None:
    """Print a row for every stored model.

    Parameters
    ----------
    models : sequence of StoredModel
    by : {"gap", "map", "name", "adds", "written"}
        What they are sorted by: names and times ascending, numbers descending.
    """
    measured = any(one.adds is not None for one in models)
    told = any(one.unfit for one in models)
    names = ["model", "kind"]
    numbers = ["GAP", "of folds", "mAP", *(["adds"] if measured else []), "seconds"]
    last = [*(["written (UTC)"] if by == "written" else []), *(["not stacked"] if told else [])]
    rows = [[*names, *numbers, *last]]
    for one in sorted(models, key=_ORDER[by]):
        cells = [""] * len(numbers)
        if one.card is not None:
            scores = one.card.scores
            folds = "" if scores.gap_folds is None else f"{scores.gap_folds:.4f}"
            gain = [_signed(one.adds)] if measured else []
            cells = [f"{scores.gap:.4f}", folds, f"{scores.map:.4f}", *gain]
            cells.append(f"{one.card.seconds:.0f}")
        if by == "written":
            cells.append(one.card.written[:16].replace("T", " ") if one.card else "")
        rows.append([one.name, one.kind, *cells, *([one.unfit] if told else [])])
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    right = range(len(names), len(names) + len(numbers))
    lines = []
    for row in rows:
        padded = [
            cell.rjust(width) if place in right else set_cell_size(cell, width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(" | ".join(padded).rstrip())
    lines.insert(1, "-+-".join("-" * width for width in widths))
    fit = sum(one.kind in ("trained", "elsewhere") and not one.unfit for one in models)
    lines.append(f"{len(models):,} listed; `stack` would take {fit:,} of them.")
    print("\n".join(lines))  # a table by rich takes a fifth of a second for hundreds of rows


def _signed(adds: float | None) -> str:
    return "" if adds is None else f"{round(adds, 4) + 0.0:+.4f}"  # no -0.0000
