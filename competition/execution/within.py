"""Run tasks until a moment: what has not ended then is stopped, and no trace of it stays."""

import mmap
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, TypeVar

import numpy as np

from competition.execution.local import ended_from_outside, start_worker
from competition.utils.processes import interrupts_ignored
from competition.utils.registry import WithPlugins

R = TypeVar("R")
IDLE = 30  # seconds until a process without a task ends by itself
THREADS = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


def load_libraries() -> None:
    """Import what takes seconds to import."""
    import lightgbm  # noqa: F401
    import numba  # noqa: F401
    import pandas  # noqa: F401
    import scipy.sparse  # noqa: F401
    import sklearn.linear_model  # noqa: F401


class StoppableWorkers:
    """Processes that run tasks, so that one that is late can be stopped; they stay for the next.

    Parameters
    ----------
    n_jobs : int
        Tasks at a time.
    """

    def __init__(self, n_jobs: int) -> None:
        self.n_jobs = n_jobs
        self._pool: Any = None

    def run(
        self,
        function: Callable[..., R],
        tasks: Sequence[tuple[Any, ...]],
        until: float,
        one_at_a_time: Collection[int] = (),
    ) -> Iterator[tuple[int, R]]:
        """Call `function` with the arguments of every task; yield place and result as they end.

        Tasks begin in their order. An array that is mapped from a file is mapped in their
        processes, too.

        Parameters
        ----------
        function : callable
            Defined at the top level of a module.
        tasks : sequence of tuple
            Positional arguments of each call.
        until : float
            Of `time.monotonic`: tasks that run then are stopped, and no other begins.
        one_at_a_time : collection of int
            Places of tasks of which no two run at once, as those that share a GPU.

        Raises
        ------
        ProcessError
            If a process is ended from outside.
        """
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        running: dict[Future[R], int] = {}
        waiting = list(range(len(tasks)))
        try:
            while (running or waiting) and time.monotonic() < until:
                while len(running) < self.n_jobs:  # sent when a process is free
                    taken = any(place in one_at_a_time for place in running.values())
                    free = [one for one in waiting if not (taken and one in one_at_a_time)]
                    if not free:
                        break
                    place = free[0]
                    waiting.remove(place)
                    running[self._open().submit(WithPlugins(function), *tasks[place])] = place
                left = max(0.0, until - time.monotonic())
                done, _ = wait(running, left, FIRST_COMPLETED)
                for future in done:
                    yield running.pop(future), future.result()
        except TerminatedWorkerError as bad:
            raise ended_from_outside() from bad
        finally:
            if running:
                self.close()

    def prepare(self) -> None:
        """Start the processes and load what most tasks need, while this process does other work."""
        for _ in range(self.n_jobs):
            self._open().submit(WithPlugins(load_libraries))

    def _open(self) -> Any:
        from joblib.externals.loky import ProcessPoolExecutor

        if self._pool is None:
            with interrupts_ignored():
                self._pool = ProcessPoolExecutor(
                    max_workers=self.n_jobs,
                    job_reducers={np.memmap: _by_name},
                    timeout=IDLE,
                    initializer=start_worker,
                    initargs=(os.getpid(),),
                    env=THREADS,
                )
        return self._pool

    def close(self) -> None:
        """Stop the processes, and what they run."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, kill_workers=True)
            self._pool = None


def _by_name(array: np.memmap) -> Any:
    """Say how another process gets an array: by mapping the whole file, else by its values."""
    if isinstance(array.base, mmap.mmap) and array.filename is not None:
        order = "C" if array.flags.c_contiguous else "F"
        name = os.fspath(array.filename)
        return np.memmap, (name, array.dtype, "r", array.offset, array.shape, order)
    return np.array, (np.asarray(array),)
