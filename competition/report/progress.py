"""Progress with the time left: bars on a terminal, a line every half minute elsewhere."""

import threading
from types import TracebackType
from typing import Self

from rich import progress as rich_progress
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from competition.utils.progress import Progress, StageClock, StageClocks, clock_time

EVERY = 30.0  # seconds between two lines where there is no terminal
SHORT = 2.0  # seconds; a stage that takes less ends without a line


class ProgressBars(Progress):
    """Shows how far every stage is; used as a context manager.

    Attributes
    ----------
    remarks : list of str
        What was remarked so far.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self.remarks: list[str] = []
        self._shown: _Bars | _Lines = _Bars(console) if console.is_terminal else _Lines(console)

    def __enter__(self) -> Self:
        self._shown.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._shown.stop()

    def remark(self, text: str) -> None:
        self.remarks.append(text)
        self._console.print(text, highlight=False, markup=False)

    def update(self, stage: str, done: int, total: int, last: str = "") -> None:
        self._shown.update(stage, done, total, last)


class _TimeColumn(ProgressColumn):
    """The time left, and of a finished stage the time that it took.

    The column of rich knows the pace of the last 30 seconds alone: where a step takes longer, it
    shows no time left at all.
    """

    def render(self, task: Task) -> Text:
        clock: StageClock = task.fields["clock"]
        if clock.finished:
            return Text(clock_time(clock.seconds()), style="progress.elapsed")
        left = clock.seconds_left()
        return Text("-:--" if left is None else clock_time(left), style="progress.remaining")


class _Bars:
    """A bar for every stage."""

    def __init__(self, console: Console) -> None:
        self._tasks: dict[str, TaskID] = {}
        self._clocks = StageClocks()
        self._bars = rich_progress.Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=12),
            MofNCompleteColumn(),
            _TimeColumn(),
            TextColumn("[dim]{task.fields[last]}"),
            console=console,
        )

    def start(self) -> None:
        self._bars.start()

    def stop(self) -> None:
        self._bars.stop()

    def update(self, stage: str, done: int, total: int, last: str) -> None:
        clock = self._clocks.update(stage, done, total, last)
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total, last=last, clock=clock)
        task = self._tasks[stage]
        self._bars.update(task, completed=done, total=total, last=last, clock=clock)


class _Lines:
    """Lines of text, for a file or a pipe: no carriage return, no bar.

    A stage that is under way says so every half minute, whether it has taken a step or not, and
    once at its end.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._clocks = StageClocks()
        self._ended: dict[str, StageClock] = {}  # whose end was told
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._reporter = threading.Thread(target=self._report, daemon=True)

    def start(self) -> None:
        self._reporter.start()

    def stop(self) -> None:
        self._over.set()
        self._reporter.join()

    def update(self, stage: str, done: int, total: int, last: str) -> None:
        with self._lock:
            clock = self._clocks.update(stage, done, total, last)
            if clock.finished and clock is not self._ended.get(stage):
                self._ended[stage] = clock
                if clock.seconds() >= SHORT:
                    self._line(f"{stage}: {done:,} of {total:,} in {clock_time(clock.seconds())}")

    def _report(self) -> None:
        while not self._over.wait(EVERY):
            with self._lock:
                for clock in self._clocks.running():
                    self._line(_progress_line(clock))

    def _line(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


def _progress_line(clock: StageClock) -> str:
    left = clock.seconds_left()
    time_left = "" if left is None else f", about {clock_time(left)} left"
    last = f" ({clock.last})" if clock.last else ""
    return (
        f"{clock.name}: {clock.done:,} of {clock.total:,} after {clock_time(clock.seconds())}"
        f"{time_left}{last}"
    )
