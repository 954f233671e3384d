"""The faults of a folder of ads, collected so that one pass reports all of them."""

from dataclasses import dataclass, field
from typing import Literal

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Problem:
    """One fault.

    Attributes
    ----------
    level : {"error", "warning", "note"}
        An error stops a run, a warning does not; a note says what is left out by rule.
    kind : str
        A few words that all faults of the kind share ("empty text", "duplicate id").
    where : str
        File, with the line in a table, relative to the dataset's folder.
    ad : str
        The ad's id; empty where the fault is not of a single ad.
    text : str
        What is wrong and what to do.
    """

    level: Level
    kind: str
    where: str
    ad: str
    text: str

    def __str__(self) -> str:
        ad = f" (ad {self.ad})" if self.ad else ""
        return f"{self.where}{ad}: {self.text}"


@dataclass
class Problems:
    """The faults found so far."""

    found: list[Problem] = field(default_factory=list)

    def error(self, kind: str, where: str, text: str, ad: str = "") -> None:
        self.found.append(Problem("error", kind, where, ad, text))

    def warning(self, kind: str, where: str, text: str, ad: str = "") -> None:
        self.found.append(Problem("warning", kind, where, ad, text))

    def note(self, kind: str, where: str, text: str, ad: str = "") -> None:
        self.found.append(Problem("note", kind, where, ad, text))

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.found if problem.level == "error"]
