"""Extract the items whose feature is not stored, shard by shard, in several processes."""

import itertools
from collections.abc import Iterable, Iterator

from competition.execution.local import run_tasks
from competition.features.base import Extractor, Item
from competition.features.store import FeatureStore
from competition.utils.progress import Progress


def extract_missing(
    extractor: Extractor,
    items: dict[str, Item],
    store: FeatureStore,
    *,
    n_jobs: int,
    n_cores: int,
    progress: Progress,
    stage: str,
) -> int:
    """Extract and store the items that the store lacks.

    On a GPU one process computes all items in one call and `n_jobs` others decode; elsewhere
    `n_jobs` processes extract whole shards. The stored features are the same.

    Parameters
    ----------
    extractor : Extractor
    items : dict of str to Item
        By key.
    store : FeatureStore
    n_jobs : int
        Number of processes.
    n_cores : int
        Number of cores that the processes share.
    progress : Progress
        Receives the number of extracted items.
    stage : str
        Names the extraction in `progress`.

    Returns
    -------
    int
        Number of items extracted now, including those that failed.
    """
    known = store.read().index
    pending = sorted(set(items) - set(known))
    if not pending:
        return 0
    progress.update(stage, 0, len(pending))
    size = max(1, min(extractor.shard, -(-len(pending) // (4 * n_jobs))))
    shards = [pending[start : start + size] for start in range(0, len(pending), size)]
    on_gpu = _on_gpu(extractor)
    if n_jobs == 1 or len(shards) == 1 or not extractor.parallel or on_gpu:
        n_workers = n_jobs if on_gpu else 0
        sizes: Iterable[int] = _extract_shards(extractor, items, shards, store, n_workers, n_cores)
    else:
        n_threads = max(1, n_cores // n_jobs)
        tasks = (
            (extractor, {key: items[key] for key in shard}, shard, store, n_threads)
            for shard in shards
        )
        sizes = run_tasks(_extract_shard, tasks, n_jobs=n_jobs, n_threads=n_threads)
    for done in itertools.accumulate(sizes):
        progress.update(stage, done, len(pending))
    return len(pending)


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
    """Extract shards in one call, so that a batch may span shards; yield the size of each."""
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
