"""The frames of a film at equal steps of time, decoded one after the other."""

from collections.abc import Callable, Generator, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from competition.media.animations import animation, is_webp
from competition.media.images import shrunk
from competition.media.opening import check_decoder, decoded, opened, packets
from competition.media.sizes import check_size, scaled
from competition.utils.errors import MediaError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

LONGEST_HOLD = 60  # seconds that a frame may stay on show; a longer gap is a broken timestamp
LOOKED_AT = 1_000  # packets of a file with several video streams, for their number of frames
USUAL_RATE = Fraction(25)  # frames per second, where the file gives no rate

Shown = TypeVar("Shown")  # a decoded frame or picture


def read_frames(path: Path, every_ms: int = 500, side: int | None = None) -> Generator[np.ndarray]:
    """Yield the frame on show at 0, every_ms, 2 * every_ms, ... milliseconds of a film.

    Times count from the first frame, whatever its timestamp. A frame is on show from its timestamp
    until that of the next; the last one for the duration that the file gives it. Frames of
    variable rate are thus sampled by time, not by number. Where a timestamp is missing, runs
    backwards or is more than a minute ahead, the frame follows at the film's frame rate.

    The display matrix of the file (rotation and mirroring) is applied. Packets that cannot be
    decoded are skipped, as a player does; a broken end ends the frames. Memory does not depend on
    the film's length.

    Parameters
    ----------
    path : Path
    every_ms : int
        Milliseconds between two frames, at least 1.
    side : int, optional
        Larger frames are scaled so that their shorter side has this many pixels.

    Yields
    ------
    ndarray of shape (height, width, 3), dtype uint8
        Red, green, blue. The same array again where a frame stays on show.

    Raises
    ------
    MediaError
        If the file cannot be opened, has no video stream or no frame that can be decoded, or if
        its frames have a single pixel or more than `competition.media.sizes.MAX_PIXELS`.
    """
    if is_webp(path):
        yield from _sampled(animation(path), every_ms, lambda image: np.array(shrunk(image, side)))
        return
    with opened(path) as container:
        stream = video_stream(path, container)
        if stream is None:
            raise MediaError("it has no video stream")
        check_decoder(stream)
        check_size(stream.width, stream.height)
        # With several threads a damaged film gives other frames in each run. Several processes
        # decode several films instead.
        stream.codec_context.thread_count = 1
        frames = _with_ends(decoded(container, stream), stream.average_rate)
        yield from _sampled(frames, every_ms, _Pictures(side))


def first_frame(path: Path) -> np.ndarray:
    """Return the first frame of a film at its full size; see `read_frames`."""
    frames = read_frames(path)
    try:
        return next(frames)
    finally:
        frames.close()


def video_stream(path: Path, container: "InputContainer") -> "VideoStream | None":
    """Return the video stream that a player shows, by FFmpeg's `av_find_best_stream`.

    The cover of a sound file is none, nor is a stream of one frame, such as a thumbnail, where
    another has more.

    Parameters
    ----------
    path : Path
    container : InputContainer
        The open file at this path; nothing is read from it.

    Returns
    -------
    av.video.stream.VideoStream or None
        None without a film.
    """
    from av.stream import Disposition

    films = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if len(films) > 1:
        moving = _moving(path, {film.index for film in films})
        films = [film for film in films if film.index in moving] or films
    best = container.streams.best("video")
    return next((film for film in films if film is best), films[0] if films else None)


def _moving(path: Path, streams: set[int]) -> set[int]:
    """Return those streams, by index, that have two packets among the first of the file."""
    seen = dict.fromkeys(streams, 0)
    with opened(path) as container:
        for packet in islice(packets(container), LOOKED_AT):
            if packet.stream.index in seen and packet.size:
                seen[packet.stream.index] += 1
            if min(seen.values()) > 1:
                break
    return {stream for stream, n_packets in seen.items() if n_packets > 1}


def _sampled(
    shown: Iterator[tuple[Shown, Fraction]], every_ms: int, to_array: Callable[[Shown], np.ndarray]
) -> Iterator[np.ndarray]:
    """Yield what is on show at each step; `shown` comes with the second until which it is."""
    step = Fraction(every_ms, 1000)
    n_taken = 0
    for frame, end in shown:
        if n_taken * step < end:
            picture = to_array(frame)
        while n_taken * step < end:
            yield picture
            n_taken += 1
    if not n_taken:
        raise MediaError("its video stream is empty or cannot be decoded")


def _with_ends(
    frames: Iterator["VideoFrame"], rate: Fraction | None
) -> Iterator[tuple["VideoFrame", Fraction]]:
    """Yield each frame with the second until which it is on show."""
    usual = min(1 / (rate or USUAL_RATE), Fraction(LONGEST_HOLD))
    end = Fraction(0)
    shown = next(frames, None)
    if shown is None:
        return
    for following in frames:
        ticks = None
        if shown.pts is not None and following.pts is not None:
            ticks = following.pts - shown.pts
        end += _seconds(ticks, shown.time_base, usual)
        yield shown, end
        shown = following
    yield shown, end + _seconds(shown.duration or None, shown.time_base, usual)


def _seconds(ticks: int | None, tick: Fraction | None, usual: Fraction) -> Fraction:
    """Return ticks of a clock in seconds; `usual` where they cannot be right."""
    if ticks is None or tick is None or not 0 <= ticks * tick <= LONGEST_HOLD:
        return usual
    return ticks * tick


class _Pictures:
    """Turns frames of one film into arrays, the right way up."""

    def __init__(self, side: int | None) -> None:
        self._side = side
        self._rotation: float | None = None
        self._matrix: np.ndarray | None = None

    def __call__(self, frame: "VideoFrame") -> np.ndarray:
        check_size(frame.width, frame.height)
        width, height = scaled(frame.width, frame.height, self._side)
        rgb = frame.reformat(width, height, "rgb24", src_color_range=frame.color_range, threads=1)
        # A frame whose side data have been looked at stays in memory until Python collects
        # garbage: of a large film that would be hundreds of frames.
        if frame.rotation != self._rotation:
            self._rotation, self._matrix = frame.rotation, _display_matrix(frame)
        return np.ascontiguousarray(_upright(rgb.to_ndarray(), self._matrix))


def _display_matrix(frame: "VideoFrame") -> np.ndarray | None:
    side_data: Any = frame.side_data  # a mapping by name, although it is annotated otherwise
    if "DISPLAYMATRIX" not in side_data:
        return None
    return np.frombuffer(bytes(side_data["DISPLAYMATRIX"]), dtype="=i4").reshape(3, 3)


def _upright(picture: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
    """Turn and mirror a picture by a display matrix."""
    if matrix is None:
        return picture
    # A pixel at (x, y) is shown at (a x + c y, b x + d y).
    (a, b), (c, d) = matrix[:2, :2].astype(int)
    if abs(b) + abs(c) > abs(a) + abs(d):
        picture = picture.transpose(1, 0, 2)
        a, d = c, b
    return picture[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
