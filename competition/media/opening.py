"""Opening and decoding a film or a sound; what cannot be opened is a MediaError."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from competition.utils.errors import MediaError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream


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

    check_file(path)
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


def decoded(container: "InputContainer", stream: "AudioStream | VideoStream") -> Iterator[Any]:
    """Yield the frames of a stream in the order of presentation.

    It goes packet by packet, so that a damaged one costs no other; a broken end ends the frames.
    """
    import av

    for packet in packets(container, stream):
        with suppress(av.FFmpegError):
            yield from stream.decode(packet)


def check_decoder(stream: "AudioStream | VideoStream") -> None:
    """Raise a MediaError if a stream is coded in a way that is not known."""
    if stream.codec_context is None:
        raise MediaError(f"its {stream.type} stream is coded in an unknown way")


def packets(
    container: "InputContainer", *streams: "AudioStream | VideoStream"
) -> Iterator["Packet[Any]"]:
    """Yield the packets of streams, or of all; a broken end ends them."""
    import av

    # PyAV raises an IndexError where damage makes a further stream appear on the way.
    with suppress(av.FFmpegError, IndexError):
        yield from container.demux(*streams)


def check_file(path: Path) -> None:
    """Raise a MediaError if there is no such file or it is empty."""
    if not path.is_file():
        raise MediaError("there is no such file")
    if path.stat().st_size == 0:
        raise MediaError("it is empty (0 bytes)")
