"""What may be said of a service."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ServiceSettings:
    """How a saved stack is served.

    Attributes
    ----------
    stack : Path
        Folder of the saved stack.
    plugins : tuple of Path
    device : str
        Where networks run.
    files : Path or None
        The folder whose files a request may name; None where it may name none.
    max_mb : float
        Megabytes of a request.
    max_ads : int
        Ads of a request.
    max_batch : int
        Ads that are predicted at once.
    timeout : float
        Seconds until a request is answered.
    """

    stack: Path
    plugins: tuple[Path, ...] = ()
    device: str = "auto"
    files: Path | None = None
    max_mb: float = 100.0
    max_ads: int = 100
    max_batch: int = 32
    timeout: float = 60.0
