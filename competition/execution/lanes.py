"""Tasks for a GPU, one at a time or as many as fit, beside tasks for the processors.

How much memory of the card a kind of task needs is not guessed: the first of its kind runs there
alone, and what it took decides what may run beside the next ones.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from typing import Any, TypeVar

from competition.execution.devices import release_gpu
from competition.execution.local import ended_from_outside, start_worker
from competition.execution.needs import Need
from competition.utils.processes import interrupts_ignored
from competition.utils.registry import WithPlugins

R = TypeVar("R")


def next_to_start(
    waiting: Sequence[Need], running: Sequence[Need], memory: Mapping[str, int], capacity: int
) -> int | None:
    """Say which task starts in a free process.

    Tasks for the GPU come first: it is what a run waits for. One starts where no other runs on the
    card, or where the memory of all of them is known and fits.

    Parameters
    ----------
    waiting, running : sequence of Need
    memory : mapping of str to int
        Bytes that tasks of a kind took on the card, as far as known.
    capacity : int
        Bytes of the card that may be taken.

    Returns
    -------
    int or None
        The place among `waiting`; None where nothing may start now.

    Examples
    --------
    >>> bert, words = Need("bert", True), Need("tfidf", False)
    >>> next_to_start([bert, words], [], {}, 16)
    0
    >>> next_to_start([bert, words], [bert], {}, 16)  # what BERT takes is not known yet
    1
    >>> next_to_start([bert, words], [bert], {"bert": 7}, 16)
    0
    >>> next_to_start([bert], [bert], {"bert": 9}, 16) is None
    True
    """
    there = [need.kind for need in running if need.on_gpu]
    for place, need in enumerate(waiting):
        kinds = [need.kind, *there]
        known = all(kind in memory for kind in kinds)
        if need.on_gpu and (
            not there or (known and sum(memory[kind] for kind in kinds) <= capacity)
        ):
            return place
    return next((place for place, need in enumerate(waiting) if not need.on_gpu), None)


def run_in_lanes(
    function: Callable[..., R],
    tasks: Sequence[tuple[Any, ...]],
    needs: Sequence[Need],
    *,
    n_jobs: int,
    capacity: int,
) -> Iterator[R]:
    """Call `function` with the arguments of every task; yield the results in order of completion.

    Parameters
    ----------
    function : callable
        Defined at the top level of a module.
    tasks : sequence of tuple
        Positional arguments of each call.
    needs : sequence of Need
        Of each task.
    n_jobs : int
        Processes.
    capacity : int
        Bytes of the card that may be taken.

    Raises
    ------
    ProcessError
        If a process is ended from outside.
    """
    from joblib.externals.loky import ProcessPoolExecutor
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    call = WithPlugins(_measured)
    waiting = list(zip(needs, tasks, strict=True))
    running: dict[Any, Need] = {}
    memory: dict[str, int] = {}
    with interrupts_ignored():
        executor = ProcessPoolExecutor(n_jobs, initializer=start_worker, initargs=(os.getpid(),))
    try:
        while waiting or running:
            while waiting and len(running) < n_jobs:
                wanted = [need for need, _ in waiting]
                place = next_to_start(wanted, list(running.values()), memory, capacity)
                if place is None:
                    break
                need, arguments = waiting.pop(place)
                with interrupts_ignored():
                    running[executor.submit(call, function, arguments)] = need
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                need = running.pop(future)
                result, taken = future.result()
                memory[need.kind] = max(taken, memory.get(need.kind, 0))
                yield result
    except TerminatedWorkerError as bad:
        raise ended_from_outside() from bad
    finally:
        executor.shutdown(wait=True, kill_workers=bool(running))


def _measured(function: Callable[..., R], arguments: tuple[Any, ...]) -> tuple[R, int]:
    """Call a function; return the most memory that it took on the card, and give that back."""
    result = function(*arguments)
    return result, release_gpu()
