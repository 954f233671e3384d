"""Open and decode a film or a sound; a file that cannot be opened is a MediaError."""

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

    It reads this one file alone: a playlist opens none of the files or addresses that it names.

    Raises
    ------
    MediaError
        If the file does not exist or is neither a film nor a sound.
    """
    import av

    check_file(path)
    try:
        file = path.open("rb")
    except OSError as bad:
        raise MediaError(f"it cannot be opened ({bad.strerror})") from bad
    with file:
        try:
            # FFmpeg gets the open file and cannot open any other by name.
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

    Each packet is decoded by itself, so that a damaged one costs no other; a broken end ends the
    frames.
    """
    import av

    for packet in packets(container, stream):
        with suppress(av.FFmpegError):
            yield from stream.decode(packet)


def check_decoder(stream: "AudioStream | VideoStream") -> None:
    """Raise a MediaError if no decoder knows the codec of a stream."""
    if stream.codec_context is None:
        raise MediaError(f"the codec of its {stream.type} stream is unknown")


def packets(
    container: "InputContainer", *streams: "AudioStream | VideoStream"
) -> Iterator["Packet[Any]"]:
    """Yield the packets of some streams, by default of all; a broken end ends them."""
    import av

    # PyAV raises an IndexError where damage makes a further stream appear.
    with suppress(av.FFmpegError, IndexError):
        yield from container.demux(*streams)


def check_file(path: Path) -> None:
    """Raise a MediaError if a file does not exist or is empty."""
    if not path.is_file():
        raise MediaError("there is no such file")
    if path.stat().st_size == 0:
        raise MediaError("it is empty (0 bytes)")
