"""What `run --plan` prints."""

from rich.table import Table

from competition.pipeline.forecast import Forecast, Part
from competition.report.tables import console
from competition.utils.durations import about

UNITS = {"feature": "ads", "model": "folds", "stack": ""}


def print_forecast(forecast: Forecast, *, copied: bool = False) -> None:
    """Print a row for each feature, model and stack, and what all of it may take.

    Parameters
    ----------
    forecast : Forecast
    copied : bool
        Whether the ads lie under a URL, and were copied to be read.
    """
    for remark in forecast.remarks:
        _line(remark)
    table = Table(title=f"A run would do, {forecast.dataset.name}")
    for heading in ("part", "is"):
        table.add_column(heading)
    for heading in ("may take", "memory"):
        table.add_column(heading, justify="right")
    table.add_column("by")
    kinds = [part.kind for part in forecast.parts]
    for place, part in enumerate(forecast.parts):
        if place and kinds[place - 1] != part.kind:
            table.add_section()
        table.add_row(part.name, *_cells(part))
    console.print(table)
    _line(_whole(forecast, copied=copied))


def _cells(part: Part) -> tuple[str, str, str, str]:
    if part.state == "stored":
        return "stored", "", "", ""
    state: str = part.state
    if part.stored:
        state = f"{part.stored:,} of {part.total:,} {UNITS[part.kind]} stored"
    elif part.kind == "feature":
        state = f"would run on {part.total:,} ads"
    cost = part.cost
    seconds = "not known" if cost.seconds is None else f"about {about(cost.seconds)}"
    memory = "" if cost.memory is None else f"{cost.memory:.1f} GiB"
    return state, seconds, memory, cost.basis if cost.basis != "not known" else ""


def _whole(forecast: Forecast, *, copied: bool) -> str:
    running = [part for part in forecast.parts if part.state != "stored"]
    if not running:
        return "All of it is stored: a run would read it, and write the submission and the page."
    n = forecast.n_jobs
    at_least = "at least " if forecast.unknown else "about "
    text = (
        f"In all {at_least}{about(forecast.seconds)} with {n} task{'' if n == 1 else 's'} at a "
        f"time, and about {forecast.memory:.1f} GiB. These are rough: by the table of costs, "
        "measured on the demo, a part may take a third or three times as long."
    )
    if forecast.unknown:
        text += f" Nothing is known of {', '.join(forecast.unknown)}."
    but = ", but for the copy of the ads" if copied else ""
    return f"{text} Nothing was run or written{but}."


def _line(text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
