"""Frames of many ads as one stream, decoded here or in other processes meanwhile."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait

import numpy as np

from competition.features.base import Item
from competition.features.pictures import pictures
from competition.utils.errors import CompetitionError, MediaError

Prepare = Callable[[np.ndarray], np.ndarray]
Part = np.ndarray | MediaError | None


def frame_stream(
    items: Sequence[Item], every_ms: int, prepare: Prepare, chunk: int, n_workers: int = 0
) -> Iterator[tuple[int, Part]]:
    """Yield the frames of images and videos, some at a time.

    Parameters
    ----------
    items : sequence of Item
    every_ms : int
        Milliseconds between two frames of a video.
    prepare : callable
        Applied to each frame, uint8 (height, width, 3), where it is decoded. Its results are all
        of one shape.
    chunk : int
        Most frames that are yielded at once. A process decodes no further ahead.
    n_workers : int
        Processes that decode, each one ad at a time; 0 decodes here.

    Yields
    ------
    row : int
        Index of the ad among `items`. The parts of one ad come in order; those of several ads may
        be mixed.
    part : ndarray of shape (n_frames, ...), MediaError or None
        Prepared frames; last, the reason why the ad cannot be used, or None at its end.
    """
    decode = _Decoder(items, every_ms, prepare, chunk)
    if n_workers > 0:
        yield from _from_workers(decode, len(items), n_workers)
        return
    for row in range(len(items)):
        for part in decode(row):
            yield row, part


class _Decoder:
    """Decodes one ad at a time; travels to other processes."""

    def __init__(self, items: Sequence[Item], every_ms: int, prepare: Prepare, chunk: int) -> None:
        self.items = items
        self.every_ms = every_ms
        self.prepare = prepare
        self.chunk = chunk

    def __call__(self, row: int) -> Iterator[Part]:
        frames: list[np.ndarray] = []
        try:
            for picture in pictures(self.items[row], self.every_ms):
                frames.append(self.prepare(picture))
                if len(frames) == self.chunk:
                    yield np.stack(frames)
                    frames = []
        except MediaError as bad:
            yield bad
            return
        except (CompetitionError, MemoryError):
            raise
        except Exception as bad:
            yield MediaError(f"{type(bad).__name__}: {bad}")
            return
        if frames:
            yield np.stack(frames)
        yield None


class _Worker:
    """A process that decodes the ads it is told to; the next chunk waits in its pipe."""

    def __init__(self, decode: _Decoder) -> None:
        self.decode = decode
        self.row = -1
        self.start()

    def start(self) -> None:
        self.pipe, there = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=_work, args=(there, self.decode), daemon=True)
        self.process.start()
        there.close()

    def take(self, row: int) -> None:
        self.row = row
        self.pipe.send(row)

    def part(self) -> Part:
        """Wait for the next part of the ad; start a new process if this one has crashed."""
        try:
            return self.pipe.recv()
        except (EOFError, ConnectionError):
            self.stop()
            code = self.process.exitcode
            self.start()
            return MediaError(f"the process that decoded it ended with exit status {code}")

    def stop(self) -> None:
        self.pipe.close()
        self.process.terminate()
        self.process.join()


def _work(pipe: Connection, decode: _Decoder) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits
    try:
        while True:
            for part in decode(pipe.recv()):
                pipe.send(part)
    except (EOFError, ConnectionError):  # nobody waits any more
        return


def _from_workers(decode: _Decoder, n_ads: int, n_workers: int) -> Iterator[tuple[int, Part]]:
    rows = iter(range(n_ads))
    busy = [_Worker(decode) for _ in range(min(n_workers, n_ads))]
    try:
        for worker in busy:
            worker.take(next(rows))
        while busy:
            ready = wait([worker.pipe for worker in busy])
            for worker in [worker for worker in busy if worker.pipe in ready]:
                row, part = worker.row, worker.part()
                if not isinstance(part, np.ndarray):
                    following = next(rows, None)
                    if following is None:
                        busy.remove(worker)
                        worker.stop()
                    else:
                        worker.take(following)
                yield row, part
    finally:
        for worker in busy:
            worker.stop()
