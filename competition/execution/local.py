"""Run tasks on this machine: one after another, or in processes of joblib.

A task carries all that it needs and writes or returns its own result, so that results do not depend
on where a task runs or what runs beside it.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from competition.utils.registry import WithPlugins

R = TypeVar("R")


def run_tasks(
    function: Callable[..., R], tasks: Iterable[tuple[Any, ...]], *, n_jobs: int, n_threads: int = 1
) -> Iterator[R]:
    """Call `function` with the arguments of every task; yield the results in order of completion.

    Parameters
    ----------
    function : callable
        Defined at the top level of a module, so that a process can import it.
    tasks : iterable of tuple
        Positional arguments of each call.
    n_jobs : int
        Tasks at a time. With 1, they run in this process.
    n_threads : int
        Threads that the native libraries of a process may use, where there are several processes.
    """
    if n_jobs == 1:
        for arguments in tasks:
            yield function(*arguments)
        return
    from joblib import Parallel, delayed, parallel_config

    with parallel_config("loky", n_jobs=n_jobs, inner_max_num_threads=n_threads):
        # A task is sent only when a process is free, so that an interruption takes effect at once.
        yield from Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch=n_jobs)(
            delayed(WithPlugins(function))(*arguments) for arguments in tasks
        )
