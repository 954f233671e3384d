"""Extract the items whose feature is not stored, shard by shard, in several processes."""

import itertools
from collections.abc import Iterable, Iterator
from contextlib import suppress

from competition.execution.devices import one_thread
from competition.execution.engines import elsewhere, run_tasks, tasks_at_once
from competition.execution.needs import GIB, Need
from competition.features.base import Extracted, Extractor, Item
from competition.features.store import FeatureStore
from competition.utils.errors import CompetitionError, WriteError
from competition.utils.progress import Progress


def extract_missing(
    extractor: Extractor,
    items: dict[str, Item],
    store: FeatureStore,
    *,
    n_jobs: int,
    progress: Progress,
    stage: str,
) -> int:
    """Extract and store the items that the store lacks.

    Stored shards that are damaged are extracted again, with a remark.

    On a GPU one process computes all items in one call and `n_jobs` others decode; elsewhere
    `n_jobs` processes extract whole shards, with one thread each, and networks see one ad at a
    time: the stored features have the same bytes whatever the number of processes and of items
    that are stored already. On a GPU batches hold several ads, and the last bits may differ.

    Parameters
    ----------
    extractor : Extractor
    items : dict of str to Item
        By key.
    store : FeatureStore
    n_jobs : int
        Number of processes.
    progress : Progress
        Receives the number of extracted items.
    stage : str
        Names the extraction in `progress`.

    Returns
    -------
    int
        Number of items extracted now, including those that failed.
    """
    n_damaged = store.remove_damaged()
    if n_damaged:
        progress.remark(
            f"{stage}: {n_damaged} file(s) of {store.folder} were damaged or removed; their ads "
            "are extracted again."
        )
    known = store.read().index
    pending = sorted(set(items) - set(known))
    if not pending:
        return 0
    progress.update(stage, 0, len(pending))
    size = max(1, min(extractor.shard, -(-len(pending) // (4 * tasks_at_once(n_jobs)))))
    shards = [pending[start : start + size] for start in range(0, len(pending), size)]
    engine, on_gpu = elsewhere(), extractor.on_gpu()
    here = engine is None and (n_jobs == 1 or len(shards) == 1 or on_gpu)
    if here or not extractor.parallel:
        n_workers = n_jobs if on_gpu else 0
        sizes: Iterable[int] = _extract_shards(extractor, items, shards, store, n_workers)
    else:
        tasks = [({key: items[key] for key in shard}, shard, store) for shard in shards]
        need = Need(stage, on_gpu=extractor.device != "cpu", memory=3 * GIB)
        needs = [need] * len(tasks)
        sizes = run_tasks(_extract_shard, tasks, needs, n_jobs=n_jobs, shared=extractor)
    for done in itertools.accumulate(sizes):
        progress.update(stage, done, len(pending))
    return len(pending)


def _extract_shard(
    extractor: Extractor, items: dict[str, Item], shard: list[str], store: FeatureStore
) -> int:
    return sum(_extract_shards(extractor, items, [shard], store, 0))


def _extract_shards(
    extractor: Extractor,
    items: dict[str, Item],
    shards: list[list[str]],
    store: FeatureStore,
    n_workers: int,
) -> Iterator[int]:
    """Extract shards in one call, so that a batch may span shards; yield the size of each."""
    with one_thread(extractor.libraries):
        results = extractor.extract([items[key] for shard in shards for key in shard], n_workers)
        for shard in shards:
            done: list[Extracted] = []
            try:
                for result in itertools.islice(results, len(shard)):
                    done.append(result)
            except CompetitionError:  # what was extracted before it stays
                if done:
                    with suppress(WriteError):
                        store.write(shard[: len(done)], done)
                raise
            store.write(shard, done)
            yield len(shard)
