"""How far a run has come: told by the pipeline, shown by whoever watches."""


class Watch:
    """Watches a run in silence; a subclass shows what it is told."""

    def say(self, text: str) -> None:
        """Take a remark."""

    def at(self, stage: str, done: int, total: int, last: str = "") -> None:
        """Take that `done` of `total` steps of a stage are done, `last` being the latest."""
