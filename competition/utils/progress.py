"""How far a run has come: the pipeline reports it, whoever listens shows it."""

import time
from dataclasses import dataclass


class Progress:
    """Takes reports in silence; a subclass shows them."""

    def remark(self, text: str) -> None:
        """Report something that the user should know."""

    def update(self, stage: str, done: int, total: int, last: str = "") -> None:
        """Report that a stage has done `done` of `total` steps, `last` being the latest.

        A stage reports 0 steps before its first one, so that this one is timed as the others are.
        """


@dataclass
class StageClock:
    """How far a stage has come, since when, and how long it will take.

    Attributes
    ----------
    name : str
    done, total : int
        Steps.
    last : str
        The latest step.
    first : int
        Steps that were done when the stage was first heard of.
    began, at : float
        Seconds of `time.monotonic` when that was, and when the latest step ended.
    """

    name: str
    done: int
    total: int
    last: str
    first: int
    began: float
    at: float

    @classmethod
    def started(cls, name: str, done: int, total: int, last: str) -> "StageClock":
        """Begin a stage now."""
        now = time.monotonic()
        return cls(name, done, total, last, done, now, now)

    def update(self, done: int, total: int, last: str) -> None:
        """Take the latest step."""
        if done > self.done:
            self.at = time.monotonic()
        self.done, self.total, self.last = done, total, last

    @property
    def finished(self) -> bool:
        return self.done >= self.total

    def seconds(self) -> float:
        """Seconds since the stage began; of a finished one, that it took."""
        return (self.at if self.finished else time.monotonic()) - self.began

    def seconds_left(self) -> float | None:
        """Seconds that the other steps will take at the pace so far; None before the first ends.

        All steps count alike, so that a slow one is made up for by those before it. One that takes
        longer than the pace counts with what it has taken so far.
        """
        if self.finished:
            return 0.0
        if self.done <= self.first:
            return None
        n_done, now = self.done - self.first, time.monotonic()
        pace, waited = (self.at - self.began) / n_done, now - self.at
        if waited <= pace:
            return pace * (self.total - self.done) - waited
        return (now - self.began) / (n_done + 1) * (self.total - self.done - 1)


class StageClocks:
    """A clock for every stage; one that begins anew after its end gets a new one."""

    def __init__(self) -> None:
        self._of: dict[str, StageClock] = {}

    def update(self, stage: str, done: int, total: int, last: str) -> StageClock:
        """Take the latest step of a stage, and return its clock."""
        clock = self._of.get(stage)
        if clock is None or (clock.finished and done < total):
            clock = self._of[stage] = StageClock.started(stage, done, total, last)
        clock.update(done, total, last)
        return clock

    def running(self) -> list[StageClock]:
        """Clocks of the stages that are under way."""
        return [clock for clock in self._of.values() if not clock.finished]


def clock_time(seconds: float) -> str:
    """Write a time as minutes and seconds, from an hour on with hours.

    Examples
    --------
    >>> clock_time(5.4), clock_time(125), clock_time(3725)
    ('0:05', '2:05', '1:02:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
