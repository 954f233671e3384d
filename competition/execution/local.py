"""Run tasks on this machine: one after another, or in processes of joblib.

A task carries all that it needs and writes or returns its own result, so that results do not depend
on where a task runs or what runs beside it.
"""

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from competition.utils.errors import ProcessError
from competition.utils.processes import end_with_parent, interrupts_ignored
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

    Raises
    ------
    ProcessError
        If a process is ended from outside. The processes end themselves when this one is gone.
    """
    if n_jobs == 1:
        for arguments in tasks:
            yield function(*arguments)
        return
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    with parallel_config(
        "loky",
        n_jobs=n_jobs,
        inner_max_num_threads=n_threads,
        initializer=start_worker,
        initargs=(os.getpid(),),
    ):
        # A task is sent only when a process is free, so that an interruption takes effect at once.
        parallel = Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch=n_jobs)
        calls = (delayed(WithPlugins(function))(*arguments) for arguments in tasks)
        try:
            with interrupts_ignored():
                results = parallel(calls)
            yield from results
        except TerminatedWorkerError as bad:
            raise ended_from_outside() from bad


def ended_from_outside() -> ProcessError:
    """Say that a process was killed."""
    return ProcessError(
        "A process of this command was ended from outside, as the system does when memory runs "
        "out. What is finished is kept, and the same command goes on; with a smaller --jobs it "
        "needs less memory."
    )


def start_worker(parent: int) -> None:
    """Let a process end with the one that waits for its results, and not see Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where a thread has started this process
    end_with_parent(parent)
