"""The faults of a folder of ads, collected so that one pass reports all of them."""

from dataclasses import dataclass, field
from typing import Literal

from competition.utils.errors import DatasetError, some
from competition.utils.progress import Progress

SHOWN = 5  # errors in a message

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

    def tell_absent_files(self, progress: Progress | None) -> None:
        """Remark once on the files that are not there, if there are any."""
        absent = [one for one in self.found if one.kind == "absent file" and one.ad]
        if absent and progress is not None:
            shown = some(f"{one.where} (ad {one.ad})" for one in absent)
            progress.remark(
                f"Warning: {len(absent):,} file{' is' if len(absent) == 1 else 's are'} not there, "
                f"so what was to be read from them is missing: {shown}."
            )

    def raise_errors(self, what: str, advice: str = "") -> None:
        """Raise a DatasetError that shows the first errors, if there are any.

        Parameters
        ----------
        what : str
            Begins the message: "the folder has".
        advice : str
            Ends it.
        """
        errors = self.errors
        if errors:
            shown = "\n".join(f"  {problem}" for problem in errors[:SHOWN])
            more = f"\n  ... and {len(errors) - SHOWN} more" if len(errors) > SHOWN else ""
            raise DatasetError(
                f"{what} {len(errors)} error(s) to correct:\n{shown}{more}\n{advice}".rstrip()
            )


def shortened(text: str, length: int = 60) -> str:
    """Return the beginning of a cell that a message quotes."""
    return text if len(text) <= length else text[: length - 1] + "…"
