"""Extraction: the ads whose feature is not stored, shard by shard, one process per core."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from competition.execution.local import run_tasks
from competition.features.base import Extractor, Item
from competition.features.store import FeatureStore


def extract_missing(
    extractor: Extractor,
    items: dict[str, Item],
    store: FeatureStore,
    *,
    n_jobs: int,
    n_cores: int,
    at: Callable[[int, int], None],
) -> int:
    """Extract what the store lacks.

    On a GPU one process computes, over all items at a stretch, and `n_jobs` others decode; else
    `n_jobs` processes each take whole shards. What is stored does not depend on it.

    Parameters
    ----------
    extractor : Extractor
    items : dict of str to Item
        By key.
    store : FeatureStore
    n_jobs : int
        Processes at a time.
    n_cores : int
        Shared out among the processes.
    at : callable
        Is told how many items are done, and of how many.

    Returns
    -------
    int
        Number of items extracted now, failed ones included.
    """
    known = store.read().index
    pending = sorted(set(items) - set(known))
    if not pending:
        return 0
    at(0, len(pending))
    size = max(1, min(extractor.shard, -(-len(pending) // (4 * n_jobs))))
    shards = [pending[start : start + size] for start in range(0, len(pending), size)]
    on_gpu = _on_gpu(extractor)
    if n_jobs == 1 or len(shards) == 1 or not extractor.parallel or on_gpu:
        outcomes: Any = _extract_shards(
            extractor, items, shards, store, n_jobs if on_gpu else 0, n_cores
        )
        _count(outcomes, len(pending), at)
        return len(pending)

    n_threads = max(1, n_cores // n_jobs)
    tasks = (
        (extractor, {key: items[key] for key in shard}, shard, store, n_threads) for shard in shards
    )
    outcomes = run_tasks(_extract_shard, tasks, n_jobs=n_jobs, n_threads=n_threads)
    _count(outcomes, len(pending), at)
    return len(pending)


def _count(outcomes: Iterable[int], total: int, at: Callable[[int, int], None]) -> None:
    done = 0
    for n_items in outcomes:
        done += n_items
        at(done, total)


def _extract_shard(
    extractor: Extractor,
    items: dict[str, Item],
    shard: list[str],
    store: FeatureStore,
    n_threads: int,
) -> int:
    return sum(_extract_shards(extractor, items, [shard], store, 0, n_threads))


def _extract_shards(
    extractor: Extractor,
    items: dict[str, Item],
    shards: list[list[str]],
    store: FeatureStore,
    n_workers: int,
    n_threads: int,
) -> Iterator[int]:
    """Extract shards in one call, so that batches run across them; yield their sizes."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(n_threads):
        results = extractor.extract([items[key] for shard in shards for key in shard], n_workers)
        for shard in shards:
            store.write(shard, list(itertools.islice(results, len(shard))))
            yield len(shard)


def _on_gpu(extractor: Extractor) -> bool:
    if extractor.device == "cpu":
        return False
    from competition.execution.devices import choose_device

    return choose_device(extractor.device) != "cpu"
