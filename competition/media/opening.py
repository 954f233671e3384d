"""Opening a film or a sound; what cannot be opened is a MediaError."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from competition.errors import MediaError

if TYPE_CHECKING:
    from av.container import InputContainer


@contextmanager
def opened(path: Path) -> Iterator["InputContainer"]:
    """Open a film or a sound for reading.

    Only this one file is read: a playlist that names other files or addresses opens none of them.

    Raises
    ------
    MediaError
        If there is no such file or it is neither a film nor a sound.
    """
    import av

    if not path.is_file():
        raise MediaError("there is no such file")
    if path.stat().st_size == 0:
        raise MediaError("it is empty (0 bytes)")
    try:
        file = path.open("rb")
    except OSError as bad:
        raise MediaError(f"it cannot be opened ({bad.strerror})") from bad
    with file:
        try:
            # The file is handed over open, and nothing else can be opened by its name.
            container = av.open(
                file, "r", options={"protocol_whitelist": "none"}, metadata_errors="ignore"
            )
        except (av.FFmpegError, ValueError) as bad:
            reason = getattr(bad, "strerror", None) or str(bad)
            raise MediaError(f"it cannot be opened as a film or a sound ({reason})") from bad
        with container:
            yield container
