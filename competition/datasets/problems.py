"""What is wrong with a folder of ads, collected so that one reading reports it all."""

from dataclasses import dataclass, field
from typing import Literal

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Problem:
    """One finding.

    Attributes
    ----------
    level : {"error", "warning", "note"}
        Errors stop a run; warnings do not; notes say what was left out on purpose.
    kind : str
        A few words shared by all findings of the kind ("empty text", "duplicate id").
    where : str
        File, and row where it has rows, relative to the dataset's folder.
    ad : str
        The ad's id, empty where the finding concerns no single ad.
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
    """A growing list of findings."""

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
