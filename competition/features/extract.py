"""Extraction: the ads whose feature is not stored, shard by shard, one process per core."""

from collections.abc import Callable
from typing import Any

from competition.features.base import Extractor, Item
from competition.features.store import FeatureStore

SHARD = 32  # ads: what a killed run loses, per process


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

    On a GPU one process computes and `n_jobs` others decode; else `n_jobs` processes each take
    whole shards. What is stored does not depend on it.

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
    size = max(1, min(SHARD, -(-len(pending) // (4 * n_jobs))))
    shards = [pending[start : start + size] for start in range(0, len(pending), size)]
    if n_jobs == 1 or len(shards) == 1 or not extractor.parallel or _on_gpu(extractor):
        workers = n_jobs if _on_gpu(extractor) else 0
        outcomes: Any = (
            _extract_shard(extractor, items, s, store, workers, n_cores) for s in shards
        )
        _count(outcomes, len(pending), at)
        return len(pending)

    from joblib import Parallel, delayed, parallel_config

    n_threads = max(1, n_cores // n_jobs)
    with parallel_config("loky", n_jobs=n_jobs, inner_max_num_threads=n_threads):
        outcomes = Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch=n_jobs)(
            delayed(_extract_shard)(
                extractor, {key: items[key] for key in shard}, shard, store, 0, n_threads
            )
            for shard in shards
        )
        _count(outcomes, len(pending), at)
    return len(pending)


def _count(outcomes: Any, total: int, at: Callable[[int, int], None]) -> None:
    done = 0
    for n_items in outcomes:
        done += n_items
        at(done, total)


def _extract_shard(
    extractor: Extractor,
    items: dict[str, Item],
    shard: list[str],
    store: FeatureStore,
    n_workers: int,
    n_threads: int,
) -> int:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(n_threads):
        results = list(extractor.extract([items[key] for key in shard], n_workers))
    store.write(shard, results)
    return len(shard)


def _on_gpu(extractor: Extractor) -> bool:
    device = getattr(extractor, "device", None)
    if device is None:
        return False
    from competition.devices import choose_device

    return choose_device(device) != "cpu"
