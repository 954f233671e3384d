"""Sound in parts: the parts of many ads fill the batches of one network."""

from abc import abstractmethod
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.base import clone

from competition.features.base import Extracted, Extractor, Item
from competition.utils.errors import CompetitionError, MediaError

Network = Callable[[np.ndarray], Iterable[Any]]


class InParts(Extractor):
    """An extractor whose network sees each ad as a row of parts of equal shape.

    `read` makes the parts, in this process or in others; `load` gives the network, which turns
    each part into a result; `join` makes the feature of the results of one ad. Batches are filled
    without regard to where an ad ends.

    Attributes
    ----------
    batch_size : int
        Parts per pass of the network, a parameter of the subclass.
    """

    batch_size: int

    @abstractmethod
    def read(self, item: Item) -> Iterator[np.ndarray]:
        """Yield the parts of one ad, each array of shape (n_parts, ...); an ad may have none."""

    @abstractmethod
    def load(self) -> Network:
        """Return the network: from parts of shape (n_parts, ...) to one result for each."""

    @abstractmethod
    def join(self, results: list[Any]) -> np.ndarray | str:
        """Make the feature of one ad from the results of its parts."""

    def extract(self, items: Sequence[Item], n_workers: int = 0) -> Iterator[Extracted]:
        """Yield the feature of each item, in order; a MediaError where it has none."""
        if not hasattr(self, "network_"):
            self.network_ = self.load()
        waiting: deque[tuple[int, np.ndarray]] = deque()  # parts, and the row of their ad
        results: dict[int, list[Any]] = defaultdict(list)
        bad: dict[int, MediaError] = {}
        next_row = 0

        def run_batch() -> None:
            batch = [waiting.popleft() for _ in range(min(self.batch_size, len(waiting)))]
            given = self.network_(np.stack([part for _, part in batch]))
            for (row, _), result in zip(batch, given, strict=True):
                results[row].append(result)

        for row, parts in enumerate(self._read_all(items, n_workers)):
            for part in parts:
                if isinstance(part, MediaError):
                    bad[row] = part
                else:
                    waiting.extend((row, one) for one in part)
                while len(waiting) >= self.batch_size:
                    run_batch()
            if row == len(items) - 1 and waiting:
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
        """Yield the parts of each item, in order."""
        if n_workers == 0 or len(items) < 2:
            for item in items:
                yield _read(self, item)
            return
        from torch.utils.data import DataLoader

        # A clone has no network, which would be costly to send to another process. What comes
        # back goes through pipes, not shared memory: that is often small where containers run.
        yield from DataLoader(
            _Read(clone(self), items),  # type: ignore[arg-type]
            batch_size=None,
            num_workers=min(n_workers, len(items)),
            collate_fn=_as_it_is,
        )


def _read(extractor: InParts, item: Item) -> Iterator[np.ndarray | MediaError]:
    """Yield the parts of an item; last, the reason why it cannot be used."""
    try:
        yield from extractor.read(item)
    except MediaError as bad:
        yield bad
    except (CompetitionError, MemoryError):
        raise
    except Exception as bad:
        yield MediaError(f"{type(bad).__name__}: {bad}")


class _Read:
    """All parts of one item at a time, for processes that read."""

    def __init__(self, extractor: InParts, items: Sequence[Item]) -> None:
        self.extractor = extractor
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, row: int) -> list[np.ndarray | MediaError]:
        return list(_read(self.extractor, self.items[row]))


def _as_it_is(parts: Any) -> Any:
    return parts
