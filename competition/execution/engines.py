"""Which engine runs tasks: this machine, a Ray cluster, or the queue of Slurm.

As joblib's `parallel_config` does, `running_on` says it once for all that is called inside. A task
that says what it needs may then run elsewhere; one that does not runs here. Results do not depend
on it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol, TypeVar

from competition.execution import local
from competition.execution.needs import Need
from competition.utils.errors import ProcessError
from competition.utils.extras import how_to_get, lacking
from competition.utils.progress import Progress

R = TypeVar("R")

LOCAL, RAY, SLURM, SLURM_HERE = "local", "ray", "slurm", "slurm:local"
ENGINES = (LOCAL, RAY, SLURM, SLURM_HERE)


class Engine(Protocol):
    """What finds tasks a place on other machines."""

    @property
    def n_cores(self) -> int:
        """Cores that there are in all, as far as that is known."""

    @property
    def has_gpu(self) -> bool:
        """Whether a task can be given a GPU."""

    def run(
        self,
        function: Callable[..., R],
        tasks: Sequence[tuple[Any, ...]],
        needs: Sequence[Need],
        shared: Any = None,
    ) -> Iterator[R]:
        """Do what `run_tasks` does."""

    def close(self) -> None:
        """Let go of the other machines."""


_current: ContextVar[Engine | None] = ContextVar("engine", default=None)


def check_engine(name: str) -> None:
    """Raise a ProcessError if there is no such engine, or this machine lacks what it needs."""
    if name not in ENGINES:
        raise ProcessError(f"There is no engine {name!r}. Choose one of {', '.join(ENGINES)}.")
    if name == LOCAL:
        return
    library = "ray" if name == RAY else "submitit"
    if lacking([library]):
        raise ProcessError(f"--on {name} cannot run: {how_to_get(library)}")
    if name == SLURM:
        from competition.execution.slurm import check_sbatch

        check_sbatch()


@contextmanager
def running_on(
    name: str, out: Path, data: Path | None, n_jobs: int | None, progress: Progress
) -> Iterator[None]:
    """Let tasks that say what they need run on an engine, inside the block.

    Parameters
    ----------
    name : {"local", "ray", "slurm", "slurm:local"}
    out : Path
        Folder of the results, which all machines see.
    data : Path or None
        Folder of the ads, which they see too.
    n_jobs : int or None
        Tasks at a time, where this machine alone runs them.
    progress : Progress
        Hears what is waited for.

    Raises
    ------
    ProcessError
        If there is no such engine, or it cannot be reached.
    """
    check_engine(name)
    if name == LOCAL:
        yield
        return
    engine: Engine
    if name == RAY:
        from competition.execution.ray_cluster import RayEngine

        engine = RayEngine(out, data, n_jobs, progress)
    else:
        from competition.execution.slurm import SlurmEngine

        engine = SlurmEngine(out, data, n_jobs, progress, here=name == SLURM_HERE)
    token = _current.set(engine)
    try:
        yield
    finally:
        _current.reset(token)
        engine.close()


def elsewhere() -> Engine | None:
    """Return the engine that runs tasks on other machines; None where this one runs them."""
    return _current.get()


def tasks_at_once(n_jobs: int) -> int:
    """How many tasks run at a time: as many as an engine has cores, or `n_jobs` here."""
    engine = elsewhere()
    return n_jobs if engine is None else engine.n_cores


def run_tasks(
    function: Callable[..., R],
    tasks: Iterable[tuple[Any, ...]],
    needs: Sequence[Need],
    *,
    n_jobs: int,
    shared: Any = None,
) -> Iterator[R]:
    """Call `function` with the arguments of every task; yield the results in order of completion.

    Parameters
    ----------
    function : callable
        Defined at the top level of a module. It may be called twice with a task, where a machine
        was lost: it writes its results whole, and finds what is stored already.
    tasks : iterable of tuple
        Positional arguments of each call.
    needs : sequence of Need
        Of each task.
    n_jobs : int
        Tasks at a time on this machine.
    shared : object, optional
        First argument of every call: what takes long to load, such as a network. Each process has
        one, and keeps what it loads.

    Raises
    ------
    ProcessError
        If a process or a machine is lost again and again, or none can be had.
    """
    engine = elsewhere()
    if engine is not None:
        with closing(engine.run(function, list(tasks), needs, shared)) as results:  # type: ignore[type-var]
            yield from results
        return
    given = tasks if shared is None else ((shared, *arguments) for arguments in tasks)
    yield from local.run_tasks(function, given, n_jobs=n_jobs)
