"""A listener that keeps what a run reports."""

from competition.utils.progress import Progress


class Recorded(Progress):
    """Keeps remarks and steps.

    Attributes
    ----------
    remarks : list of str
    steps : list of (stage, done, total)
    """

    def __init__(self) -> None:
        self.remarks: list[str] = []
        self.steps: list[tuple[str, int, int]] = []

    def remark(self, text: str) -> None:
        self.remarks.append(text)

    def update(self, stage: str, done: int, total: int, last: str = "") -> None:
        self.steps.append((stage, done, total))
