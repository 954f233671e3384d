"""Progress on a terminal and in a file, at times that the test sets."""

import io
import re

import pytest
from rich.console import Console

from competition.report import progress as shown
from competition.report.progress import ProgressBars
from competition.utils import progress as clocks
from competition.utils.progress import StageClock, StageClocks


class Time:
    """Stands in the place of the `time` that clocks read."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(clocks, "time", time)
    return time


def test_time_left_is_that_of_the_other_steps_at_the_pace_so_far(time: Time) -> None:
    clock = StageClock.started("level 1", 0, 10, "")
    time.now += 50
    assert clock.seconds_left() is None
    clock.update(2, 10, "")
    assert clock.seconds_left() == 8 * 25
    time.now += 25  # within the third step
    assert clock.seconds_left() == 7 * 25
    time.now += 75  # it takes longer than both before it: three steps in 150 seconds
    assert clock.seconds_left() == 7 * 50
    clock.update(10, 10, "")
    assert (clock.finished, clock.seconds_left(), clock.seconds()) == (True, 0, 150)


def test_steps_that_were_done_before_set_no_pace(time: Time) -> None:
    clock = StageClock.started("level 2", 90, 100, "")
    time.now += 10
    clock.update(91, 100, "")
    assert clock.seconds_left() == 90


def test_a_stage_that_begins_anew_is_timed_anew(time: Time) -> None:
    both = StageClocks()
    both.update("level 1", 0, 2, "")
    time.now += 100
    both.update("level 1", 2, 2, "")
    assert both.running() == []
    both.update("level 1", 0, 4, "")
    time.now += 1
    assert both.update("level 1", 1, 4, "").seconds_left() == 3


@pytest.mark.parametrize("slow", [0.5, 90.0])
def test_a_bar_tells_the_time_left_however_slow_its_steps_are(slow: float, time: Time) -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=100, color_system=None)
    with ProgressBars(console) as progress:
        progress.update("level 1", 0, 4)
        time.now += slow
        progress.update("level 1", 1, 4, "tfidf_logreg, fold 0")
    bar = next(line for line in reversed(written.getvalue().splitlines()) if "1/4" in line)
    assert f"1/4 {clocks.clock_time(3 * slow)}" in bar


def test_lines_come_every_half_minute_with_the_time_left(
    time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shown.EVERY == 30
    written = io.StringIO()
    reporter = shown._Lines(Console(file=written, width=40))
    turns = iter([False, False, False, True])
    monkeypatch.setattr(reporter._over, "wait", lambda _: next(turns))
    reporter.update("level 1", 0, 1200, "")
    time.now += 60
    steps = iter([1, 2, 3])
    line = reporter._line

    def step(text: str) -> None:
        line(text)
        if (n := next(steps)) < 3:
            time.now += 30
            reporter._clocks.update("level 1", n, 1200, f"tfidf_nblogreg [sic], fold {n}")

    monkeypatch.setattr(reporter, "_line", step)
    reporter._report()
    assert written.getvalue().splitlines() == [
        "level 1: 0 of 1,200 after 1:00",
        "level 1: 1 of 1,200 after 1:30, about 29:58:30 left (tfidf_nblogreg [sic], fold 1)",
        "level 1: 2 of 1,200 after 2:00, about 19:58:00 left (tfidf_nblogreg [sic], fold 2)",
    ]


def test_end_of_a_stage_is_told_once_unless_it_was_short(time: Time) -> None:
    written = io.StringIO()
    console = Console(file=written, width=100)
    with ProgressBars(console) as progress:
        progress.update("counting", 0, 3)
        time.now += 1.9
        progress.update("counting", 3, 3)
        progress.update("level 2", 0, 3)
        time.now += 75
        for _ in range(2):
            progress.update("level 2", 3, 3, "dnn")
        progress.remark("A remark.")
    assert written.getvalue() == "level 2: 3 of 3 in 1:15\nA remark.\n"
    assert progress.remarks == ["A remark."]
    assert not re.search("[\r\x1b━]", written.getvalue())
