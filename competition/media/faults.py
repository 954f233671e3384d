"""Faults of media files that a run would meet, mostly found without reading the whole file."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from competition.media.arrays import read_array
from competition.media.frames import first_frame
from competition.media.images import read_image
from competition.media.opening import opened, packets
from competition.media.sound import sound_of
from competition.utils.errors import MediaError
from competition.utils.machine_faults import fault_of_ad

if TYPE_CHECKING:
    from av.container import InputContainer

TOLERANCE = 0.5  # seconds that a complete file may lack at its end
BEFORE_END = 2.0  # seconds at the end of a file that are read
MICROSECONDS = 1_000_000  # FFmpeg's unit for the times of a container


@dataclass(frozen=True)
class Fault:
    """A fault of a file.

    Attributes
    ----------
    extent : {"whole", "part", "sound"}
        "whole": the file counts as a missing input. "part": its end is missing. "sound": a film has
        no sound that can be decoded.
    text : str
        Continues a sentence about the file.
    """

    extent: Literal["whole", "part", "sound"]
    text: str


def find_faults(path: Path, kind: str) -> list[Fault]:
    """Return the faults of a file of a kind in `CHECKED`.

    Of a film or a sound it decodes the first frame and the first seconds of sound, and looks for
    packets at the end of the duration in the file's header.

    Raises
    ------
    FeatureError
        If the machine is at fault (`competition.utils.machine_faults`).
    """
    try:
        return FINDERS[kind](path)
    except Exception as bad:  # an extractor counts such a file as a missing input, too
        return [Fault("whole", str(fault_of_ad(bad, path, "check")))]


def _of_image(path: Path) -> list[Fault]:
    read_image(path)
    return []


def _of_array(path: Path) -> list[Fault]:
    read_array(path)
    return []


def _of_video(path: Path) -> list[Fault]:
    first_frame(path)
    sound = []
    with opened(path) as container:
        try:
            next(sound_of(container))
        except MediaError as bad:
            sound.append(Fault("sound", str(fault_of_ad(bad, path, "check"))))
        return [*_of_end(container), *sound]


def _of_audio(path: Path) -> list[Fault]:
    with opened(path) as container:
        next(sound_of(container))
        return _of_end(container)


def _of_end(container: "InputContainer") -> list[Fault]:
    if not container.duration:
        return []
    duration = container.duration / MICROSECONDS
    start = (container.start_time or 0) / MICROSECONDS
    last = _last_moment(container, start + duration - BEFORE_END)
    if last is None:
        last = _last_moment(container, start)
    # Some formats count the duration from zero, others from the first moment.
    had = 0.0 if last is None else max(last, last - start)
    if had >= duration - TOLERANCE:
        return []
    return [Fault("part", f"it is cut short: {had:.1f} of {duration:.1f} seconds are there")]


def _last_moment(container: "InputContainer", since: float) -> float | None:
    """Return the end, in seconds, of the last packet after `since`; None if there is none."""
    import av

    with suppress(av.FFmpegError):  # seeking beyond the last packet fails
        container.seek(round(since * MICROSECONDS))
    moments = [
        float((packet.pts + (packet.duration or 0)) * packet.time_base)
        for packet in packets(container)
        if packet.pts is not None and packet.stream.type in ("video", "audio")
    ]
    return max(moments, default=None)


FINDERS: dict[str, Callable[[Path], list[Fault]]] = {
    "image": _of_image,
    "array": _of_array,
    "video": _of_video,
    "audio": _of_audio,
}
CHECKED = frozenset(FINDERS)
