"""How far a run has come: the pipeline reports it, whoever listens shows it."""


class Progress:
    """Takes reports in silence; a subclass shows them."""

    def remark(self, text: str) -> None:
        """Report something that the user should know."""

    def update(self, stage: str, done: int, total: int, last: str = "") -> None:
        """Report that a stage has done `done` of `total` steps, `last` being the latest."""
