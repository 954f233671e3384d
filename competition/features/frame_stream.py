"""The frames of many ads as one stream, decoded in this process or ahead in others."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait

import numpy as np

from competition.execution.local import ended_from_outside
from competition.features.base import Item
from competition.features.pictures import pictures
from competition.utils.errors import CompetitionError, MediaError
from competition.utils.machine_faults import fault_of_ad, machines_fault
from competition.utils.processes import end_with_parent

Prepare = Callable[[np.ndarray], np.ndarray]
Chunk = np.ndarray | MediaError | None  # frames, or how the ad ends


def frame_stream(
    items: Sequence[Item], every_ms: int, prepare: Prepare, chunk_size: int, n_workers: int = 0
) -> Iterator[tuple[int, Chunk]]:
    """Yield the frames of images and videos in chunks.

    Parameters
    ----------
    items : sequence of Item
    every_ms : int
        Milliseconds between two frames of a video.
    prepare : callable
        Turns a frame, uint8 (height, width, 3), into an array, in the process that decodes it. All
        its results have one shape.
    chunk_size : int
        Largest number of frames in a chunk. A process decodes one chunk ahead.
    n_workers : int
        Number of processes that decode, each one ad at a time; 0 decodes in this process.

    Yields
    ------
    row : int
        Index of the ad among `items`. The chunks of one ad come in order; those of several ads may
        be mixed.
    chunk : ndarray of shape (n_frames, ...), MediaError or None
        Prepared frames. After the last one, None, or the reason why the ad cannot be used.
    """
    decode = _Decoder(items, every_ms, prepare, chunk_size)
    if n_workers > 0:
        yield from _from_workers(decode, len(items), n_workers)
        return
    for row in range(len(items)):
        for chunk in decode(row):
            yield row, chunk


class _Decoder:
    """Decodes one ad at a time; travels to other processes."""

    def __init__(
        self, items: Sequence[Item], every_ms: int, prepare: Prepare, chunk_size: int
    ) -> None:
        self.items = items
        self.every_ms = every_ms
        self.prepare = prepare
        self.chunk_size = chunk_size

    def __call__(self, row: int) -> Iterator[Chunk]:
        frames: list[np.ndarray] = []
        try:
            for picture in pictures(self.items[row], self.every_ms):
                frames.append(self.prepare(picture))
                if len(frames) == self.chunk_size:
                    yield np.stack(frames)
                    frames = []
            if frames:
                yield np.stack(frames)
        except Exception as bad:
            yield fault_of_ad(bad, self.items[row].file)
            return
        yield None


class _Worker:
    """A process that decodes one ad after another; the next chunk waits in its pipe."""

    def __init__(self, decode: _Decoder) -> None:
        self.decode = decode
        self.row = -1
        self.start()

    def start(self) -> None:
        self.pipe, there = multiprocessing.Pipe()
        self.process = multiprocessing.Process(
            target=_work, args=(there, self.decode, os.getpid()), daemon=True
        )
        self.process.start()
        there.close()

    def start_ad(self, row: int) -> None:
        self.row = row
        self.pipe.send(row)

    def next_chunk(self) -> Chunk:
        """Wait for the next chunk of the ad; start a new process if this one has crashed.

        Raises
        ------
        CompetitionError
            If something other than the ad is at fault.
        """
        try:
            found: Chunk | CompetitionError = self.pipe.recv()
            if isinstance(found, CompetitionError) and not isinstance(found, MediaError):
                raise found
            return found
        except MemoryError as bad:
            raise machines_fault("memory has run out", self.decode.items[self.row].file) from bad
        except (EOFError, ConnectionError):
            self.stop()
            code = self.process.exitcode
            if code in (-signal.SIGKILL, -signal.SIGTERM):  # no film does that
                raise ended_from_outside() from None
            self.start()
            return MediaError(f"the process that decoded it ended with exit status {code}")

    def stop(self) -> None:
        self.pipe.close()
        self.process.terminate()
        self.process.join()


def _work(pipe: Connection, decode: _Decoder, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C stops the process that waits
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with_parent(parent)  # its pipe stays open while a sibling has a copy of the other end
    try:
        while True:
            try:
                row = pipe.recv()
                for chunk in decode(row):
                    _send(pipe, chunk, decode.items[row])
            except CompetitionError as bad:
                pipe.send(bad)
    except (EOFError, ConnectionError):  # the waiting process has ended
        return


def _send(pipe: Connection, chunk: Chunk, item: Item) -> None:
    """Send a chunk; what stops that, other than the end of who waits, is no fault of the ad."""
    try:
        pipe.send(chunk)
    except ConnectionError:
        raise
    except Exception as bad:
        reason = "memory has run out" if isinstance(bad, MemoryError) else str(bad)
        raise machines_fault(f"its frames cannot be sent on ({reason})", item.file) from bad


def _from_workers(decode: _Decoder, n_ads: int, n_workers: int) -> Iterator[tuple[int, Chunk]]:
    rows = iter(range(n_ads))
    busy = [_Worker(decode) for _ in range(min(n_workers, n_ads))]
    try:
        for worker in busy:
            worker.start_ad(next(rows))
        while busy:
            ready = wait([worker.pipe for worker in busy])
            for worker in [worker for worker in busy if worker.pipe in ready]:
                row, chunk = worker.row, worker.next_chunk()
                if not isinstance(chunk, np.ndarray):
                    following = next(rows, None)
                    if following is None:
                        busy.remove(worker)
                        worker.stop()
                    else:
                        worker.start_ad(following)
                yield row, chunk
    finally:
        for worker in busy:
            worker.stop()
