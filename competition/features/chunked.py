"""Extractors whose network sees an ad in chunks; on a GPU, chunks of many ads fill each batch."""

import os
import signal
from abc import abstractmethod
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone

from competition.execution.local import ended_from_outside
from competition.execution.memory import AtOnce
from competition.features.base import Extracted, Extractor, Item
from competition.utils.errors import CompetitionError, MediaError
from competition.utils.machine_faults import fault_of_ad
from competition.utils.processes import end_with_parent

Network = Callable[[np.ndarray], Iterable[Any]]


class ChunkedExtractor(Extractor):
    """An extractor that cuts each ad into chunks of equal shape.

    `read` cuts an ad into chunks, in this process or in others; `load` returns the network, which
    turns each chunk into a result; `join` makes the feature of an ad from the results of its
    chunks. On a GPU a batch may hold chunks of several ads; where memory runs out it is halved.

    Attributes
    ----------
    batch_size : int
        Chunks per pass of the network, a parameter of the subclass.
    """

    batch_size: int

    @abstractmethod
    def read(self, item: Item) -> Iterator[np.ndarray]:
        """Yield the chunks of one ad, some at a time: arrays of shape (n_chunks, ...).

        An ad may have no chunk.
        """

    @abstractmethod
    def load(self) -> Network:
        """Return the network: a function from chunks, (n_chunks, ...), to one result per chunk."""

    @abstractmethod
    def join(self, results: list[Any]) -> np.ndarray | str:
        """Return the feature of one ad, made from the results of its chunks."""

    def extract(self, items: Sequence[Item], n_workers: int = 0) -> Iterator[Extracted]:
        """Yield the feature of each item, in order; a MediaError where it has none."""
        if not hasattr(self, "network_"):
            self.network_ = self.load()
        spans_ads = self.on_gpu()
        waiting: deque[tuple[int, np.ndarray]] = deque()  # chunks, each with the row of its ad
        results: dict[int, list[Any]] = defaultdict(list)
        bad: dict[int, MediaError] = {}
        next_row = 0
        at_once = AtOnce(self.batch_size, "chunk of an ad")

        def run(chunks: list[tuple[int, np.ndarray]]) -> list[Any]:
            return list(self.network_(np.stack([chunk for _, chunk in chunks])))

        def run_batch() -> None:
            batch = [waiting.popleft() for _ in range(min(self.batch_size, len(waiting)))]
            for chunks, outputs in at_once.each(run, batch):
                for (row, _), result in zip(chunks, outputs, strict=True):
                    results[row].append(result)

        for row, arrays in enumerate(self._read_all(items, n_workers)):
            for chunks in arrays:
                if isinstance(chunks, MediaError):
                    bad[row] = chunks
                else:
                    waiting.extend((row, chunk) for chunk in chunks)
                while len(waiting) >= self.batch_size:
                    run_batch()
            if waiting and (row == len(items) - 1 or not spans_ads):
                run_batch()
            for done in range(next_row, waiting[0][0] if waiting else row + 1):
                found = results.pop(done, [])
                yield bad.pop(done) if done in bad else self.join(found)
                next_row = done + 1

    def extract_one(self, item: Item) -> np.ndarray | str:
        """Return the feature of one ad."""
        result = next(self.extract([item]))
        if isinstance(result, MediaError):
            raise result
        assert not isinstance(result, dict)
        return result

    def _read_all(
        self, items: Sequence[Item], n_workers: int
    ) -> Iterator[Iterable[np.ndarray | MediaError]]:
        """Yield the chunks of each item, in order."""
        if n_workers == 0 or len(items) < 2:
            for item in items:
                yield _read(self, item)
            return
        from torch.utils.data import DataLoader

        # A clone has no network, which is costly to send to another process. Chunks come back
        # through pipes: containers often have little shared memory.
        loader: DataLoader[Any] = DataLoader(
            _Read(clone(self), items),  # type: ignore[arg-type]
            batch_size=None,
            num_workers=min(n_workers, len(items)),
            collate_fn=_unchanged,
            worker_init_fn=partial(_worker_starts, os.getpid()),
        )
        try:
            for chunks in loader:
                if isinstance(chunks, CompetitionError):
                    raise chunks
                yield chunks
        except RuntimeError as bad:
            if "DataLoader worker" not in str(bad):
                raise
            raise ended_from_outside() from bad


def _read(extractor: ChunkedExtractor, item: Item) -> Iterator[np.ndarray | MediaError]:
    """Yield the chunks of an item; last, the reason why it cannot be used."""
    try:
        yield from extractor.read(item)
    except Exception as bad:
        yield fault_of_ad(bad, item.file)


class _Read:
    """Reads all chunks of one item at a time; travels to other processes."""

    def __init__(self, extractor: ChunkedExtractor, items: Sequence[Item]) -> None:
        self.extractor = extractor
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, row: int) -> list[np.ndarray | MediaError] | CompetitionError:
        try:
            return list(_read(self.extractor, self.items[row]))
        except CompetitionError as bad:  # raised there, it would come back as a traceback
            return bad


def _worker_starts(parent: int, number: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C stops the process that waits
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with_parent(parent)


def _unchanged(chunks: Any) -> Any:
    return chunks
