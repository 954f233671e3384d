"""What a task needs, whoever finds it a place to run."""

from dataclasses import dataclass, field

GIB = 2**30


@dataclass(frozen=True)
class Need:
    """What a task needs.

    Attributes
    ----------
    kind : str
        Tasks of one kind need the same.
    on_gpu : bool
        Whether it runs on a GPU where there is one.
    cores : int
    memory : int
        Bytes.
    gpu : float
        Share of the card that it needs, if it runs there.
    minutes : int
        After so long a queue may end it; what it has stored is kept.
    task : str
        What messages call this one task, where it has a name of its own.
    """

    kind: str
    on_gpu: bool = False
    cores: int = 1
    memory: int = GIB
    gpu: float = 1.0
    minutes: int = 24 * 60
    task: str = field(default="", compare=False)

    @property
    def named(self) -> str:
        """What messages call the task: by its own name, or by its kind."""
        return self.task or f"A task ({self.kind})"
